/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * x86_64 for transproc-stop: system calls, registers, breakpoints. Sources: Linux arch/x86/entry/syscalls/syscall_64.tbl,
 * arch/x86/include/uapi/asm/ptrace.h and ptrace-abi.h, arch/x86/kernel/signal.c; System V psABI for x86-64, figure 3.36.
 */
#ifndef TOOL_ISA_H
#define TOOL_ISA_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	NR_read = 0, NR_write = 1, NR_close = 3, NR_lseek = 8, NR_mmap = 9, NR_munmap = 11, NR_rt_sigaction = 13,
	NR_rt_sigprocmask = 14, NR_rt_sigreturn = 15, NR_tgkill = 234, NR_pread64 = 17, NR_pwrite64 = 18, NR_getpid = 39, NR_clone = 56, NR_clone3 = 435, NR_fork = 57, NR_vfork = 58, NR_execve = 59,
	NR_exit_group = 231, NR_wait4 = 61, NR_kill = 62, NR_chdir = 80, NR_umask = 95, NR_fcntl = 72, NR_ftruncate = 77, NR_fchown = 93, NR_fchownat = 260, NR_fchmodat = 268, NR_setuid = 105, NR_setgid = 106, NR_setgroups = 116, NR_openat2 = 437, NR_ptrace = 101, NR_setsid = 112, NR_unshare = 272, NR_mount = 165, NR_fchdir = 81, NR_chroot = 161,
	NR_rt_sigtimedwait = 128, NR_personality = 135, NR_prctl = 157, NR_getdents64 = 217, NR_clock_gettime = 228,
	NR_waitid = 247, NR_openat = 257, NR_mkdirat = 258, NR_unlinkat = 263, NR_symlinkat = 266, NR_renameat2 = 316, NR_readlinkat = 267, NR_faccessat = 269,
	NR_dup3 = 292, NR_pipe2 = 293, NR_kcmp = 312, NR_statfs = 137, NR_statx = 332, NR_close_range = 436,
	NR_setxattr = 188, NR_lsetxattr = 189, NR_lgetxattr = 192,
	NR_ioctl = 16, NR_flock = 73, NR_setpriority = 141, NR_userfaultfd = 323, NR_inotify_add_watch = 254, NR_ppoll = 271, NR_getpgid = 121, NR_prlimit64 = 302, NR_setpgid = 109, NR_inotify_init1 = 294, NR_pidfd_open = 434, NR_pidfd_getfd = 438,
	NR_socket = 41, NR_setsockopt = 54, NR_getsockname = 51, NR_getsockopt = 55, NR_sendto = 44, NR_recvfrom = 45, NR_setns = 308,
	NR_readv = 19, NR_writev = 20, NR_preadv = 295, NR_preadv2 = 327, NR_memfd_create = 319, NR_process_vm_readv = 310, NR_utimensat = 280, NR_fallocate = 285,
	NR_bind = 49, NR_listen = 50, NR_accept4 = 288, NR_connect = 42, NR_sendmsg = 46, NR_recvmsg = 47, NR_seccomp = 317, NR_madvise = 28, NR_ioprio_set = 251, NR_ioprio_get = 252,
};

/* Those that may change mappings in another way than madvise(2): mmap to brk, mremap, shmat, mlock to munlockall, execve, shmdt, prctl, remap_file_pages, execveat, mlock2, pkey_mprotect, process_madvise, map_shadow_stack, mseal. */
#define CALLS_ON_MAPPINGS 9, 10, 11, 12, 25, 30, 149, 150, 151, 152, 59, 67, 157, 216, 322, 325, 329, 440, 453, 462

enum { O_DIRECT = 040000 };

enum { ELF_MACHINE = 62, LAYOUT_PERSONALITY = -1 };

/* struct user_regs_struct: what PTRACE_GETREGSET(NT_PRSTATUS) delivers. */
struct registers {
	uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss, fs_base, gs_base, ds,
		es, fs, gs;
};
_Static_assert(sizeof(struct registers) == 27 * 8, "user_regs_struct");

/* DWARF numbers; the return address lies just below the CFA. */
enum { DWARF_REGISTERS = 16, DWARF_SP = 7, RETURN_REGISTER = -1, RETURN_OFFSET = -8 };

static inline void dwarf_registers(const struct registers *r, uint64_t out[DWARF_REGISTERS])
{
	const uint64_t order[] = { r->ax, r->dx, r->cx, r->bx, r->si, r->di, r->bp, r->sp,
		r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 };
	memcpy(out, order, sizeof order);
}

static inline uint64_t program_counter(const struct registers *r) { return r->ip; }
static inline void set_program_counter(struct registers *r, uint64_t pc) { r->ip = pc; }

/* int3: one byte, so it never reaches into the next instruction; the CPU stops behind it, the kernel says SI_KERNEL. */
static const uint8_t breakpoint[] = { 0xcc };
enum { BREAKPOINT_REWIND = 1, BREAKPOINT_CODE = 0x80 };

/* Calls besides clone(2) and clone3(2) that make a process. */
static inline bool is_fork(long number) { return number == NR_fork || number == NR_vfork; }

/* syscall. */
static const uint8_t system_call[] = { 0x0f, 0x05 };

/* Floating point and vectors: NT_X86_XSTATE, AMX's tiles as well; NT_PRFPREG, where the processor has no XSAVE. */
static const uint32_t vector_sets[] = { 0x202, 2 };
enum { MOST_VECTORS = 16384 };

/* Makes a thread behind the trap's address ready for a system call; no call that was interrupted is issued again on the way. */
static inline void prepare_call(struct registers *r, uint64_t trap, long number, const uint64_t arguments[4])
{
	r->ip = trap;
	r->orig_ax = (uint64_t)-1;
	r->ax = (uint64_t)number;
	r->di = arguments[0], r->si = arguments[1], r->dx = arguments[2], r->r10 = arguments[3];
}

/* At the first instruction of a handler: the second argument is its siginfo_t, and rt_sigreturn(2) expects sp behind the return address. */
static inline uint64_t handler_info(const struct registers *r) { return r->si; }
static inline uint64_t handler_frame(const struct registers *r) { return r->sp + 8; }
static inline void set_stack(struct registers *r, uint64_t sp) { r->sp = sp; }
static inline uint64_t stack_pointer(const struct registers *r) { return r->sp; }
/* Which call is under way is in orig_ax. */
/* A call that was cut short goes on where it was after one of ours, with what is left of a sleep. */
enum { CALLS_GO_ON = true };

static inline void forget_call(int tid) { (void)tid; }
static inline void name_call(int tid, int number) { (void)tid, (void)number; }

static inline long call_result(const struct registers *r) { return (long)r->ax; }

/*
 * At the instruction behind the trap: the call was cut short and the kernel issues it again, by itself, on the way back to user
 * mode. The -ERESTART codes are visible only there (orig_ax is then the call's number).
 */
static inline bool call_will_restart(const struct registers *r)
{
	long result = (long)r->ax;
	return (long)r->orig_ax >= 0 && (result == -512 || result == -513 || result == -514 || result == -516);
}

/*
 * Makes a thread behind the trap issue its call again: with -ERESTARTNOHAND the kernel does it, unless a signal handler is to run by
 * then, which the call is to tell by -EINTR. False once the number is forgotten (a handler has run).
 */
static inline bool call_again(struct registers *r, uint64_t trap, uint64_t first_argument)
{
	(void)trap, (void)first_argument;
	if ((long)r->orig_ax < 0)
		return false;
	r->ax = (uint64_t)-514;
	return true;
}

static inline long raw_syscall(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return n;
}

#define START_CODE                     \
	".globl _start\n_start:\n"     \
	"	xor %ebp, %ebp\n"      \
	"	mov %rsp, %rdi\n"      \
	"	and $-16, %rsp\n"      \
	"	call start\n"          \
	"	hlt\n"

#endif
