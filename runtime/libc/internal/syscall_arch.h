/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every system call that may block goes through one leaf function for each ISA, with neutral numbers and structures: a thread blocked
 * there is described by the seven arguments. There is no vDSO: addresses of the kernel's pages must not be kept in memory. */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

hidden long __transproc_syscall(long, long, long, long, long, long, long);

static inline long __syscall0(long n)
{
	return __transproc_syscall(n, 0, 0, 0, 0, 0, 0);
}

static inline long __syscall1(long n, long a)
{
	return __transproc_syscall(n, a, 0, 0, 0, 0, 0);
}

static inline long __syscall2(long n, long a, long b)
{
	return __transproc_syscall(n, a, b, 0, 0, 0, 0);
}

static inline long __syscall3(long n, long a, long b, long c)
{
	return __transproc_syscall(n, a, b, c, 0, 0, 0);
}

static inline long __syscall4(long n, long a, long b, long c, long d)
{
	return __transproc_syscall(n, a, b, c, d, 0, 0);
}

static inline long __syscall5(long n, long a, long b, long c, long d, long e)
{
	return __transproc_syscall(n, a, b, c, d, e, 0);
}

static inline long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	return __transproc_syscall(n, a, b, c, d, e, f);
}

#define IPC_64 0
