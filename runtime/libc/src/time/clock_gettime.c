/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* There is no vDSO: addresses of the kernel's pages must not be kept in memory. */
#include <time.h>
#include "syscall.h"
#include "cpu.h"

int __clock_gettime(clockid_t clock, struct timespec *time)
{
	uint64_t moves;
	long result;
	if (!__is_cpu_clock(clock)) return syscall(SYS_clock_gettime, clock, time);
	do {
		moves = __transproc_moves();
		result = __syscall(SYS_clock_gettime, clock, time);
		if (!result) __transproc_add_clock(clock, time);
	} while (moves != __transproc_moves());
	return __syscall_ret(result);
}

weak_alias(__clock_gettime, clock_gettime);
