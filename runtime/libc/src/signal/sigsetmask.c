/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Masks of signals 1 to 31 as 4.3BSD had them; others are not blocked by sigsetmask, and stay as they are in sigblock. */
#include <signal.h>

int sigblock(int mask)
{
	sigset_t set = { { (unsigned)mask } }, before;
	pthread_sigmask(SIG_BLOCK, &set, &before);
	return before.__bits[0];
}

int sigsetmask(int mask)
{
	sigset_t set = { { (unsigned)mask } }, before;
	pthread_sigmask(SIG_SETMASK, &set, &before);
	return before.__bits[0];
}

int siggetmask(void)
{
	return sigblock(0);
}
