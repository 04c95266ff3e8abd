/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include <sys/wait.h>
#include "syscall.h"
#include "../time/cpu.h"

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t own, *found = info ? info : &own;
	found->si_pid = 0;
	int result = syscall_cp(SYS_waitid, type, id, found, options, 0);
	int ended = found->si_code == CLD_EXITED || found->si_code == CLD_KILLED || found->si_code == CLD_DUMPED;
	if (!result && found->si_pid && ended && !(options & WNOWAIT)) __transproc_reaped(found->si_pid, 0);
	return result;
}
