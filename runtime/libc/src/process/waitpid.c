/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include <sys/wait.h>
#include "syscall.h"
#include "../time/cpu.h"

pid_t waitpid(pid_t pid, int *status, int options)
{
	int found = 0;
	pid_t child = syscall_cp(SYS_wait4, pid, &found, options, 0);
	if (child <= 0) return child;
	if (status) *status = found;
	if (WIFEXITED(found) || WIFSIGNALED(found)) __transproc_reaped(child, 0);
	return child;
}
