/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The runtime's assembly for x86_64: program and thread start, the system-call leaf, the resume loop, and what C cannot express.
// Every function lies in a section of its own, so that the linker gives it the same address as its aarch64 twin.
// Contract: docs/format.md, sections 4 and 5. Calling convention: System V psABI, section 3.2. System calls: psABI, section A.2.
#include "common.h"

#define SYS_exit_native 60
#define SYS_munmap_native 11
#define SYS_clone_native 56
#define SYS_vfork_native 58
#define SYS_arch_prctl_native 158
#define SYS_rt_sigreturn_native 15
#define ARCH_SET_FS 0x1002
#define EINTR 4
#define ENOSYS 38

// ---- program start -------------------------------------------------------------------------------------------------

FUNCTION _start
	.cfi_undefined rip
	xor %ebp, %ebp
	mov %rsp, %rdi
	and $-16, %rsp
	call __transproc_prepare            // moves arguments and environment to a stack of our own
	mov %rax, %rdi
	mov %rax, %rsp
	xor %ebp, %ebp
	call __transproc_main
LABEL __transproc_start_return
	hlt
END _start

// ---- system calls --------------------------------------------------------------------------------------------------

// Frame of the leaf, from the CFA down:
//   -8 return address; -24 address of the thread's cancellation flag, or 0; -80 … -32 the seven neutral arguments;
//   -136 … -80 native number and arguments; -240 … -136 scratch space for converted structures.
#define FRAME 240
#define CFA(offset) (FRAME + (offset))(%rsp)
#define NEUTRAL (FRAME - 80)
#define NATIVE (FRAME - 136)

// long __transproc_syscall(n, a, b, c, d, e, f)
FUNCTION __transproc_syscall
	sub $(FRAME - 8), %rsp
	MOVABLE __transproc_syscall, 7
	.cfi_def_cfa_offset FRAME
	xor %eax, %eax
	jmp .Lsyscall
	.balign 32
// long __transproc_syscall_cancellable(n, a, b, c, d, e, f, volatile int *cancel): at the same distance on every ISA
	.cfi_def_cfa_offset 8
LABEL __transproc_syscall_cancellable
	sub $(FRAME - 8), %rsp
	MOVABLE __transproc_syscall_cancellable, 7
	.cfi_def_cfa_offset FRAME
	mov CFA(8), %rax
.Lsyscall:
	mov %rax, CFA(-24)
	mov CFA(0), %rax
	mov %rdi, CFA(-80)
	mov %rsi, CFA(-72)
	mov %rdx, CFA(-64)
	mov %rcx, CFA(-56)
	mov %r8, CFA(-48)
	mov %r9, CFA(-40)
	mov %rax, CFA(-32)
	cmp $__transproc_syscall_limit, %rdi
	jae .Lunknown
	movzwl __transproc_syscall_table(,%rdi,2), %eax // native number + 1; bit 15: has structures or flags to convert
	sub $1, %eax
	js .Lunknown
	test $0x8000, %eax
	jnz .Lconvert
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov CFA(-32), %r9
	// A cancellation signal that arrives from here up to the trap makes the call return -EINTR: no lost wake-up.
LABEL __transproc_syscall_check
	mov CFA(-24), %r11
	test %r11, %r11
	jz __transproc_syscall_trap
	cmpl $0, (%r11)
	jne __transproc_syscall_skip
LABEL __transproc_syscall_trap
	syscall
LABEL __transproc_syscall_done
	mov CFA(-80), %rdx
	cmpw $0, __transproc_syscall_table(,%rdx,2)
	js .Lconvert_result
.Lreturn:
	add $(FRAME - 8), %rsp
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
	.cfi_restore_state
LABEL __transproc_syscall_skip
	mov $-EINTR, %rax
	jmp .Lreturn
.Lunknown:
	mov $-ENOSYS, %rax
	jmp .Lreturn
.Lconvert:
	lea NEUTRAL(%rsp), %rdi
	lea NATIVE(%rsp), %rsi
	mov %rsp, %rdx
	call __transproc_syscall_enter
	mov NATIVE+0(%rsp), %rax
	mov NATIVE+8(%rsp), %rdi
	mov NATIVE+16(%rsp), %rsi
	mov NATIVE+24(%rsp), %rdx
	mov NATIVE+32(%rsp), %r10
	mov NATIVE+40(%rsp), %r8
	mov NATIVE+48(%rsp), %r9
	jmp __transproc_syscall_check
.Lconvert_result:
	mov %rax, %rdi
	lea NEUTRAL(%rsp), %rsi
	mov %rsp, %rdx
	call __transproc_syscall_leave
	jmp .Lreturn
END __transproc_syscall

// unsigned long __transproc_syscall_cancel(pc, sp): if a thread stopped there is about to block in a cancellable call, the pc at which
// that call returns -EINTR instead; else 0
FUNCTION __transproc_syscall_cancel
	xor %eax, %eax
	cmp $__transproc_syscall_check, %rdi
	jb 1f
	cmp $__transproc_syscall_trap, %rdi
	ja 1f
	cmpq $0, FRAME-24(%rsi)
	je 1f
	mov $__transproc_syscall_skip, %eax
1:	ret
END __transproc_syscall_cancel

// ---- resuming after a migration ------------------------------------------------------------------------------------

// for (;; r = r->outer) { stack pointer = r->base; r->enter(r); }      r in rbx
FUNCTION __transproc_resume_loop
	.cfi_undefined rip
1:	mov RECORD_BASE(%rbx), %rsp
	mov %rbx, %rdi
	call *(%rbx)
LABEL __transproc_resume_return
	mov RECORD_OUTER(%rbx), %rbx
	jmp 1b
END __transproc_resume_loop

// _Noreturn void __transproc_enter(record): gives up the stack, and goes on with a record
FUNCTION __transproc_enter
	.cfi_undefined rip
	mov %rdi, %rbx
	jmp __transproc_resume_loop
END __transproc_enter

// void __transproc_resume_syscall(record): issues the call in the slots again; its result goes to the outer record
FUNCTION __transproc_resume_syscall
	push %rbx
	.cfi_def_cfa_offset 16
	.cfi_offset rbx, -16
	mov %rdi, %rbx
	mov %fs:__transproc_self@tpoff, %rax
	add $PTHREAD_CANCEL, %rax
	push %rax
	.cfi_adjust_cfa_offset 8
	push RECORD_SLOTS+48(%rbx)
	.cfi_adjust_cfa_offset 8
	mov RECORD_SLOTS+0(%rbx), %rdi
	mov RECORD_SLOTS+8(%rbx), %rsi
	mov RECORD_SLOTS+16(%rbx), %rdx
	mov RECORD_SLOTS+24(%rbx), %rcx
	mov RECORD_SLOTS+32(%rbx), %r8
	mov RECORD_SLOTS+40(%rbx), %r9
	call __transproc_syscall_cancellable
LABEL __transproc_resume_syscall_return
	mov RECORD_OUTER(%rbx), %rdx
	mov %rax, RECORD_RESULT(%rdx)
	add $16, %rsp
	.cfi_adjust_cfa_offset -16
	pop %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	ret
END __transproc_resume_syscall

// void __transproc_end(record): the outermost function of the thread has returned
FUNCTION __transproc_end
	mov RECORD_RESULT(%rdi), %edi
	mov $SYS_exit_native, %eax
	syscall
	hlt
END __transproc_end

// ---- threads -------------------------------------------------------------------------------------------------------

// int __transproc_clone(func, stack, flags, arg, ptid, thread pointer of aarch64, ctid)
FUNCTION __transproc_clone
	and $-16, %rsi
	mov %rdi, -8(%rsi)
	MOVABLE __transproc_clone, 8
	mov %rcx, -16(%rsi)
	sub $16, %rsi
	mov %edx, %edi
	mov %r8, %rdx
	mov 8(%rsp), %r10
	mov %r9, %r8
	sub __transproc_tp_offset+8, %r8
	add __transproc_tp_offset, %r8
	mov $SYS_clone_native, %eax
	syscall
	test %eax, %eax
	jz 1f
	ret
1:	.cfi_undefined rip
	xor %ebp, %ebp
	pop %rdi
	pop %rax
	call *%rax
LABEL __transproc_clone_return
	mov %eax, %edi
	mov $SYS_exit_native, %eax
	syscall
	hlt
END __transproc_clone

// int __set_thread_area(thread pointer of aarch64)
FUNCTION __set_thread_area
	mov %rdi, %rsi
	sub __transproc_tp_offset+8, %rsi
	add __transproc_tp_offset, %rsi
	mov $ARCH_SET_FS, %edi
	mov $SYS_arch_prctl_native, %eax
	syscall
	ret
END __set_thread_area

// void __unmapself(base, size): frees the stack it runs on, so it may not touch it
FUNCTION __unmapself
	mov $SYS_munmap_native, %eax
	syscall
	xor %edi, %edi
	mov $SYS_exit_native, %eax
	syscall
	hlt
END __unmapself

// pid_t vfork(void): keeps the return address in a register, because the child overwrites the stack
FUNCTION vfork
	pop %rdx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rdx
	mov $SYS_vfork_native, %eax
	syscall
	push %rdx
	.cfi_adjust_cfa_offset 8
	.cfi_offset rip, -8
	mov %rax, %rdi
	jmp __syscall_ret
END vfork

// int __transproc_isa(void): ELF e_machine
FUNCTION __transproc_isa
	mov $62, %eax
	ret
END __transproc_isa

// ---- signals -------------------------------------------------------------------------------------------------------

FUNCTION __restore_rt
	mov $SYS_rt_sigreturn_native, %rax  // debuggers recognise exactly these bytes
	syscall
END __restore_rt
	.globl __restore
	.set __restore, __restore_rt

// Offsets of the neutral ucontext_t: uc_sigmask 40, uc_mcontext.__pc 168, .__sp 176 (checked in sigaction.c)
// void __transproc_context_read(const void *native, ucontext_t *neutral)
FUNCTION __transproc_context_read
	mov 296(%rdi), %rax
	mov %rax, 40(%rsi)
	mov 168(%rdi), %rax
	mov %rax, 168(%rsi)
	mov 160(%rdi), %rax
	mov %rax, 176(%rsi)
	ret
END __transproc_context_read

// void __transproc_context_write(void *native, const ucontext_t *neutral): the signal mask and the pc may be changed by handlers
FUNCTION __transproc_context_write
	mov 40(%rsi), %rax
	mov %rax, 296(%rdi)
	mov 168(%rsi), %rax
	mov %rax, 168(%rdi)
	ret
END __transproc_context_write

// ---- floating-point environment ------------------------------------------------------------------------------------

// unsigned __transproc_fp_read(void): exception flags in bits 0-4, rounding mode in bits 8-9, numbered as in fenv.h (Intel SDM 1, 10.2.3)
FUNCTION __transproc_fp_read
	stmxcsr -8(%rsp)
	mov -8(%rsp), %ecx
	mov %ecx, %eax
	and $1, %eax                        // IE
	mov %ecx, %edx
	shr %edx
	and $0x1e, %edx                     // ZE, OE, UE, PE
	or %edx, %eax
	mov %ecx, %edx
	shr $6, %edx
	and $0x100, %edx                    // RC's high bit: upwards
	or %edx, %eax
	shr $4, %ecx
	and $0x200, %ecx                    // RC's low bit: downwards
	or %ecx, %eax
	ret
END __transproc_fp_read

// void __transproc_fp_write(unsigned)
FUNCTION __transproc_fp_write
	stmxcsr -8(%rsp)
	mov -8(%rsp), %eax
	and $~0x603f, %eax
	mov %edi, %edx
	and $1, %edx
	or %edx, %eax
	mov %edi, %edx
	and $0x1e, %edx
	shl %edx
	or %edx, %eax
	mov %edi, %edx
	and $0x100, %edx
	shl $6, %edx
	or %edx, %eax
	and $0x200, %edi
	shl $4, %edi
	or %edi, %eax
	mov %eax, -8(%rsp)
	ldmxcsr -8(%rsp)
	ret
END __transproc_fp_write

// ---- setjmp: the buffer is `unsigned long[22]`, flag and signal mask behind it at 176 and 184, on every ISA -------------

// Behind them what a migration needs (setjmp/jump.c): the frame's mark, or 0 for a function that cannot be migrated; the site; the mark's
// contents plus the number of migrations, at that time; whether the mask was saved; no record, as the memory may hold an older buffer's.
// While their sum has not changed, the machine's registers are good.
#define JUMP_MARK 200
#define JUMP_SITE 208
#define JUMP_KEY 216
#define JUMP_SAVES_MASK 224
#define JUMP_RECORD 232
#define ARGS_MIGRATIONS 72

// int __transproc_setjmp(jmp_buf, unsigned long *mark, unsigned long site): as setjmp
FUNCTION __transproc_setjmp
	movq $0, JUMP_SAVES_MASK(%rdi)
	movq $0, JUMP_RECORD(%rdi)
	mov %rsi, JUMP_MARK(%rdi)
	mov %rdx, JUMP_SITE(%rdi)
	mov (%rsi), %rdx
	add __transproc_args+ARGS_MIGRATIONS, %rdx
	mov %rdx, JUMP_KEY(%rdi)
	jmp __transproc_save_registers
END __transproc_setjmp

// int setjmp(jmp_buf)
FUNCTION setjmp
	movq $0, JUMP_MARK(%rdi)
LABEL __transproc_save_registers
	mov %rbx, (%rdi)
	mov %rbp, 8(%rdi)
	mov %r12, 16(%rdi)
	mov %r13, 24(%rdi)
	mov %r14, 32(%rdi)
	mov %r15, 40(%rdi)
	lea 8(%rsp), %rdx
	mov %rdx, 48(%rdi)
	mov (%rsp), %rdx
	mov %rdx, 56(%rdi)
	xor %eax, %eax
	ret
END setjmp
	.globl _setjmp, __setjmp
	.set _setjmp, setjmp
	.set __setjmp, setjmp

// _Noreturn void longjmp(jmp_buf, int)
FUNCTION longjmp
	mov JUMP_MARK(%rdi), %rdx
	test %rdx, %rdx
	jz 1f
	mov (%rdx), %rdx
	add __transproc_args+ARGS_MIGRATIONS, %rdx
	cmp JUMP_KEY(%rdi), %rdx
	je 1f
	and $-16, %rsp
	call __transproc_jump               // does not return
	ud2
1:
// _Noreturn void __transproc_load_registers(jmp_buf, int)
LABEL __transproc_load_registers
	mov %esi, %eax
	cmp $1, %eax
	adc $0, %eax                        // 0 becomes 1
	mov (%rdi), %rbx
	mov 8(%rdi), %rbp
	mov 16(%rdi), %r12
	mov 24(%rdi), %r13
	mov 32(%rdi), %r14
	mov 40(%rdi), %r15
	mov 48(%rdi), %rsp
	jmp *56(%rdi)
END longjmp
	.globl _longjmp
	.set _longjmp, longjmp

// int sigsetjmp(sigjmp_buf, int save): saves and, at its second return, restores the mask in __sigsetjmp_tail
FUNCTION sigsetjmp
	xor %edx, %edx
	jmp .Lsigsetjmp
	.balign 32
// int __transproc_sigsetjmp(sigjmp_buf, int save, unsigned long *mark, unsigned long site): as sigsetjmp
LABEL __transproc_sigsetjmp
.Lsigsetjmp:
	mov %rdx, JUMP_MARK(%rdi)
	test %rdx, %rdx
	jz 1f
	mov %rcx, JUMP_SITE(%rdi)
	mov (%rdx), %rdx
	add __transproc_args+ARGS_MIGRATIONS, %rdx
	mov %rdx, JUMP_KEY(%rdi)
	mov %esi, %edx
	mov %rdx, JUMP_SAVES_MASK(%rdi)
	movq $0, JUMP_RECORD(%rdi)
1:	test %esi, %esi
	jz __transproc_save_registers
	pop 64(%rdi)                        // the caller may reuse this stack slot before the second return
	.cfi_adjust_cfa_offset -8
	.cfi_undefined rip
	mov %rbx, 72(%rdi)
	mov %rdi, %rbx
	call __transproc_save_registers
	push 64(%rbx)
	.cfi_adjust_cfa_offset 8
	mov %rbx, %rdi
	mov %eax, %esi
	mov 72(%rbx), %rbx
	jmp __sigsetjmp_tail
END sigsetjmp
	.globl __sigsetjmp
	.set __sigsetjmp, sigsetjmp

// ---- the processor (runtime/libc/internal/processor.h) --------------------------------------------------------------

// Leaf 1, ecx; leaf 7, ebx; XCR0 (Intel's manual, volume 2, CPUID, and volume 1, section 14.3)
#define HAS_FMA (1 << 12)
#define HAS_AVX (1 << 27 | 1 << 28)         // the kernel saves extended state, and there is some
#define HAS_BMI_AVX2 (1 << 3 | 1 << 5)
#define KEPT_SSE_AVX 6

// unsigned __transproc_abilities(void): ABILITY_WIDE and ABILITY_FUSED
FUNCTION __transproc_abilities
	push %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	xor %r9d, %r9d
	xor %eax, %eax
	cpuid
	cmp $7, %eax
	jb 1f
	mov $1, %eax
	cpuid
	mov %ecx, %r10d
	and $HAS_AVX, %ecx
	cmp $HAS_AVX, %ecx
	jne 1f
	xor %ecx, %ecx
	xgetbv
	and $KEPT_SSE_AVX, %eax
	cmp $KEPT_SSE_AVX, %eax
	jne 1f
	and $HAS_FMA, %r10d
	shr $(12 - 1), %r10d                // ABILITY_FUSED
	mov $7, %eax
	xor %ecx, %ecx
	cpuid
	and $HAS_BMI_AVX2, %ebx
	cmp $HAS_BMI_AVX2, %ebx
	sete %r9b                           // ABILITY_WIDE
	or %r10d, %r9d
1:	mov %r9d, %eax
	pop %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	ret
END __transproc_abilities

// double __transproc_fma(double x, double y, double z), float __transproc_fmaf(float x, float y, float z): only with ABILITY_FUSED
FUNCTION __transproc_fma
	vfmadd213sd %xmm2, %xmm1, %xmm0
	ret
END __transproc_fma

FUNCTION __transproc_fmaf
	vfmadd213ss %xmm2, %xmm1, %xmm0
	ret
END __transproc_fmaf

	.section .note.GNU-stack,"",@progbits
