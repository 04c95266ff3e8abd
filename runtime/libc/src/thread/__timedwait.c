/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Waits with absolute deadlines: a wait that is issued again after a migration still ends when it should. */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include "futex.h"
#include "pthread_impl.h"
#include "syscall.h"

#define FUTEX_WAIT_BITSET 9
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_BITSET_MATCH_ANY 0xffffffffU

static volatile int dummy = 0;
weak_alias(dummy, __eintr_valid_flag);

/* The kernel takes these two clocks for a futex. */
static int direct(clockid_t clk)
{
	return clk == CLOCK_MONOTONIC || clk == CLOCK_REALTIME;
}

static int to_monotonic(clockid_t clk, const struct timespec *at, struct timespec *deadline)
{
	struct timespec now;
	if (__clock_gettime(clk, &now) || __clock_gettime(CLOCK_MONOTONIC, deadline)) return EINVAL;
	deadline->tv_sec += at->tv_sec - now.tv_sec;
	deadline->tv_nsec += at->tv_nsec - now.tv_nsec;
	while (deadline->tv_nsec < 0) deadline->tv_sec--, deadline->tv_nsec += 1000000000;
	while (deadline->tv_nsec >= 1000000000) deadline->tv_sec++, deadline->tv_nsec -= 1000000000;
	return deadline->tv_sec < 0 ? ETIMEDOUT : 0;
}

int __timedwait_cp(volatile int *addr, int val, clockid_t clk, const struct timespec *at, int priv)
{
	struct timespec deadline;
	int op = FUTEX_WAIT_BITSET | (priv ? FUTEX_PRIVATE : 0);

	if (at) {
		if (at->tv_nsec >= 1000000000UL) return EINVAL;
		int error = direct(clk) ? 0 : to_monotonic(clk, at, &deadline);
		if (error) return error;
		if (direct(clk)) deadline = *at;
		if (deadline.tv_sec < 0) return ETIMEDOUT;
		if (clk == CLOCK_REALTIME) op |= FUTEX_CLOCK_REALTIME;
	}

	int r = -__syscall_cp(SYS_futex, addr, op, val, at ? &deadline : 0, 0, FUTEX_BITSET_MATCH_ANY);
	if (r != EINTR && r != ETIMEDOUT && r != ECANCELED) r = 0;
	/* A spurious EINTR is only passed on if a handler without SA_RESTART exists. */
	if (r == EINTR && !__eintr_valid_flag) r = 0;
	return r;
}

int __timedwait(volatile int *addr, int val, clockid_t clk, const struct timespec *at, int priv)
{
	int cs, r;
	__pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cs);
	r = __timedwait_cp(addr, val, clk, at, priv);
	__pthread_setcancelstate(cs, 0);
	return r;
}
