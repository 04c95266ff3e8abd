/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/wait.h>
#include "syscall.h"
#include "../time/cpu.h"

/* The layout of struct rusage is the kernel's. */
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	int found = 0;
	long child = __syscall(SYS_wait4, pid, &found, options, usage);
	if (child <= 0) return __syscall_ret(child);
	if (status) *status = found;
	if (WIFEXITED(found) || WIFSIGNALED(found)) __transproc_reaped(child, usage);
	return child;
}
