/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * aarch64 for transproc-stop: system calls, registers, breakpoints. Sources: Linux include/uapi/asm-generic/unistd.h,
 * arch/arm64/include/uapi/asm/ptrace.h, arch/arm64/kernel/signal.c; DWARF for the Arm 64-bit Architecture, section 4.1.
 */
#ifndef TOOL_ISA_H
#define TOOL_ISA_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	NR_dup3 = 24, NR_mkdirat = 34, NR_unlinkat = 35, NR_symlinkat = 36, NR_faccessat = 48, NR_chdir = 49, NR_openat = 56, NR_close = 57, NR_pipe2 = 59,
	NR_getdents64 = 61, NR_lseek = 62, NR_read = 63, NR_write = 64, NR_pread64 = 67, NR_pwrite64 = 68, NR_readlinkat = 78,
	NR_personality = 92, NR_exit_group = 94, NR_waitid = 95, NR_clock_gettime = 113, NR_ptrace = 117, NR_kill = 129,
	NR_rt_sigaction = 134, NR_rt_sigprocmask = 135, NR_rt_sigreturn = 139, NR_tgkill = 131, NR_rt_sigtimedwait = 137, NR_setsid = 157, NR_unshare = 97, NR_mount = 40, NR_fchdir = 50, NR_chroot = 51, NR_umask = 166, NR_fcntl = 25, NR_ftruncate = 46, NR_fchown = 55, NR_fchownat = 54, NR_fchmodat = 53, NR_statfs = 43, NR_setuid = 146, NR_setgid = 144, NR_setgroups = 159, NR_openat2 = 437, NR_prctl = 167,
	NR_getpid = 172, NR_munmap = 215, NR_clone = 220, NR_clone3 = 435, NR_execve = 221, NR_mmap = 222, NR_wait4 = 260, NR_kcmp = 272,
	NR_renameat2 = 276, NR_statx = 291, NR_close_range = 436,
	NR_setxattr = 5, NR_lsetxattr = 6, NR_lgetxattr = 9,
	NR_getpgid = 155, NR_prlimit64 = 261, NR_setpgid = 154, NR_inotify_init1 = 26, NR_inotify_add_watch = 27, NR_ioctl = 29, NR_flock = 32, NR_setpriority = 140, NR_userfaultfd = 282, NR_ppoll = 73, NR_pidfd_open = 434, NR_pidfd_getfd = 438,
	NR_socket = 198, NR_setsockopt = 208, NR_getsockname = 204, NR_getsockopt = 209, NR_sendto = 206, NR_recvfrom = 207, NR_setns = 268,
	NR_readv = 65, NR_writev = 66, NR_preadv = 69, NR_preadv2 = 286, NR_memfd_create = 279, NR_process_vm_readv = 270, NR_utimensat = 88, NR_fallocate = 47,
	NR_bind = 200, NR_listen = 201, NR_accept4 = 242, NR_connect = 203, NR_sendmsg = 211, NR_recvmsg = 212, NR_seccomp = 277, NR_madvise = 233, NR_ioprio_set = 30, NR_ioprio_get = 31,
};

/* ADDR_COMPAT_LAYOUT: mmap and vDSO below 2^47, where x86_64 can have them too. */
/* Those that may change mappings in another way than madvise(2): shmat, shmdt, prctl, brk, munmap, mremap, execve, mmap, mprotect, mlock to munlockall, remap_file_pages, execveat, mlock2, pkey_mprotect, process_madvise, mseal. */
#define CALLS_ON_MAPPINGS 196, 197, 167, 214, 215, 216, 221, 222, 226, 228, 229, 230, 231, 234, 281, 284, 288, 440, 462

enum { O_DIRECT = 0200000 };

enum { ELF_MACHINE = 183, LAYOUT_PERSONALITY = 0x200000 };

/* struct user_pt_regs: what PTRACE_GETREGSET(NT_PRSTATUS) delivers. */
struct registers {
	uint64_t x[31], sp, pc, pstate;
};
_Static_assert(sizeof(struct registers) == 34 * 8, "user_pt_regs");

/* DWARF numbers: x0-x30, sp; the return address is in x30. */
enum { DWARF_REGISTERS = 32, DWARF_SP = 31, RETURN_REGISTER = 30, RETURN_OFFSET = 0 };

static inline void dwarf_registers(const struct registers *r, uint64_t out[DWARF_REGISTERS])
{
	memcpy(out, r, DWARF_REGISTERS * sizeof *out);
}

static inline uint64_t program_counter(const struct registers *r) { return r->pc; }
static inline void set_program_counter(struct registers *r, uint64_t pc) { r->pc = pc; }

/* brk #0: pc stays on it, the kernel says TRAP_BRKPT. */
static const uint8_t breakpoint[] = { 0x00, 0x00, 0x20, 0xd4 };
enum { BREAKPOINT_REWIND = 0, BREAKPOINT_CODE = 1 };

/* Calls besides clone(2) and clone3(2) that make a process: none. */
static inline bool is_fork(long number) { return (void)number, false; }

/* svc #0. */
static const uint8_t system_call[] = { 0x01, 0x00, 0x00, 0xd4 };

/* NT_PRFPREG: floating point and vectors. */
static const uint32_t vector_sets[] = { 2 };
enum { MOST_VECTORS = 528 };

/* Makes a thread ready for a system call. */
static inline void prepare_call(struct registers *r, uint64_t trap, long number, const uint64_t arguments[4])
{
	r->pc = trap;
	r->x[8] = (uint64_t)number;
	memcpy(r->x, arguments, 4 * sizeof *arguments);
}

/* At the first instruction of a handler: the second argument is its siginfo_t, and rt_sigreturn(2) expects sp as it is. */
static inline uint64_t handler_info(const struct registers *r) { return r->x[1]; }
static inline uint64_t handler_frame(const struct registers *r) { return r->sp; }
static inline void set_stack(struct registers *r, uint64_t sp) { r->sp = sp; }
static inline uint64_t stack_pointer(const struct registers *r) { return r->sp; }

static inline long call_result(const struct registers *r) { return (long)r->x[0]; }

/* Never: the kernel moves pc back to the svc and restores x0 before it stops the thread (arch/arm64/kernel/signal.c, do_signal). */
static inline bool call_will_restart(const struct registers *r)
{
	(void)r;
	return false;
}

/* Makes a thread behind the svc issue its call again: x1-x5 and x8 are as they were, x0 holds the result. */
static inline bool call_again(struct registers *r, uint64_t trap, uint64_t first_argument)
{
	r->pc = trap;
	r->x[0] = first_argument;
	return true;
}

static inline long raw_syscall(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

/*
 * Which call is under way is in no register, and the kernel would take a first argument for its result (do_signal): NT_ARM_SYSTEM_CALL,
 * by PTRACE_SETREGSET.
 */
static inline void name_call(int tid, int number)
{
	struct {
		void *data;
		unsigned long size;
	} vector = { &number, sizeof number };
	raw_syscall(NR_ptrace, 0x4205, tid, 0x404, (long)&vector, 0, 0);
}

/* After one of ours a sleep that was cut short begins anew. */
enum { CALLS_GO_ON = false };

static inline void forget_call(int tid) { name_call(tid, -1); }

#define START_CODE                     \
	".globl _start\n_start:\n"     \
	"	mov x29, #0\n"         \
	"	mov x30, #0\n"         \
	"	mov x0, sp\n"          \
	"	bl start\n"

#endif
