/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The runtime's assembly for aarch64: program and thread start, the system-call leaf, the resume loop, and what C cannot express.
// Every function lies in a section of its own, so that the linker gives it the same address as its x86_64 twin.
// Contract: docs/format.md, sections 4 and 5. Calling convention: AAPCS64, section 6. Neutral system calls are this ISA's own.
#include "common.h"

#define SYS_exit_native 93
#define SYS_rt_sigreturn_native 139
#define SYS_munmap_native 215
#define SYS_clone_native 220
#define CLONE_VFORK_VM_SIGCHLD 0x4111
#define EINTR 4

.macro ADDRESS register, name
	adrp \register, \name
	add \register, \register, :lo12:\name
.endm

// ---- program start -------------------------------------------------------------------------------------------------

FUNCTION _start
	.cfi_undefined x30
	mov x29, #0
	mov x30, #0
	mov x0, sp
	bl __transproc_prepare              // moves arguments and environment to a stack of our own
	mov sp, x0
	mov x29, #0
	bl __transproc_main
LABEL __transproc_start_return
	brk #1
END _start

// ---- system calls --------------------------------------------------------------------------------------------------

// Frame of the leaf, from the CFA down:
//   -16 return address; -24 address of the thread's cancellation flag, or 0; -80 … -32 the seven neutral arguments.
#define FRAME 80

// long __transproc_syscall(n, a, b, c, d, e, f)
FUNCTION __transproc_syscall
	mov x7, #0
	b 1f
	.balign 32
// long __transproc_syscall_cancellable(n, a, b, c, d, e, f, volatile int *cancel): at the same distance on every ISA
LABEL __transproc_syscall_cancellable
1:	sub sp, sp, #FRAME
	.cfi_def_cfa_offset FRAME
	stp x0, x1, [sp, #0]
	stp x2, x3, [sp, #16]
	stp x4, x5, [sp, #32]
	MOVABLE __transproc_syscall_cancellable, 16
	stp x6, x7, [sp, #48]
	str x30, [sp, #64]
	.cfi_offset x30, -16
	mov x8, x0
	mov x0, x1
	mov x1, x2
	mov x2, x3
	mov x3, x4
	mov x4, x5
	mov x5, x6
	// A cancellation signal that arrives from here up to the trap makes the call return -EINTR: no lost wake-up.
LABEL __transproc_syscall_check
	cbz x7, __transproc_syscall_trap
	ldr w9, [x7]
	cbnz w9, __transproc_syscall_skip
LABEL __transproc_syscall_trap
	svc #0
LABEL __transproc_syscall_done
	ldr x30, [sp, #64]
	add sp, sp, #FRAME
	.cfi_remember_state
	.cfi_restore x30
	.cfi_def_cfa_offset 0
	ret
	.cfi_restore_state
LABEL __transproc_syscall_skip
	mov x0, #-EINTR
	b __transproc_syscall_done
END __transproc_syscall

// unsigned long __transproc_syscall_cancel(pc, sp): if a thread stopped there is about to block in a cancellable call, the pc at which
// that call returns -EINTR instead; else 0
FUNCTION __transproc_syscall_cancel
	mov x2, x0
	mov x0, #0
	ADDRESS x3, __transproc_syscall_check
	cmp x2, x3
	b.lo 1f
	ADDRESS x3, __transproc_syscall_trap
	cmp x2, x3
	b.hi 1f
	ldr x2, [x1, #FRAME-24]
	cbz x2, 1f
	ADDRESS x0, __transproc_syscall_skip
1:	ret
END __transproc_syscall_cancel

// ---- resuming after a migration ------------------------------------------------------------------------------------

// for (;; r = r->outer) { stack pointer = r->base; r->enter(r); }      r in x19
FUNCTION __transproc_resume_loop
	.cfi_undefined x30
1:	ldr x1, [x19, #RECORD_BASE]
	mov sp, x1
	mov x0, x19
	ldr x1, [x19]
	blr x1
LABEL __transproc_resume_return
	ldr x19, [x19, #RECORD_OUTER]
	b 1b
END __transproc_resume_loop

// _Noreturn void __transproc_enter(record): gives up the stack, and goes on with a record
FUNCTION __transproc_enter
	.cfi_undefined x30
	mov x19, x0
	b __transproc_resume_loop
END __transproc_enter

// void __transproc_resume_syscall(record): issues the call in the slots again; its result goes to the outer record
FUNCTION __transproc_resume_syscall
	stp x19, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x19, -16
	.cfi_offset x30, -8
	mov x19, x0
	mrs x7, tpidr_el0
	add x7, x7, :tprel_hi12:__transproc_self
	add x7, x7, :tprel_lo12_nc:__transproc_self
	ldr x7, [x7]
	add x7, x7, #PTHREAD_CANCEL
	ldp x0, x1, [x19, #RECORD_SLOTS+0]
	ldp x2, x3, [x19, #RECORD_SLOTS+16]
	ldp x4, x5, [x19, #RECORD_SLOTS+32]
	ldr x6, [x19, #RECORD_SLOTS+48]
	bl __transproc_syscall_cancellable
LABEL __transproc_resume_syscall_return
	ldr x1, [x19, #RECORD_OUTER]
	str x0, [x1, #RECORD_RESULT]
	ldp x19, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x19
	.cfi_restore x30
	ret
END __transproc_resume_syscall

// void __transproc_end(record): the outermost function of the thread has returned
FUNCTION __transproc_end
	ldr w0, [x0, #RECORD_RESULT]
	mov x8, #SYS_exit_native
	svc #0
	brk #1
END __transproc_end

// ---- threads -------------------------------------------------------------------------------------------------------

// int __transproc_clone(func, stack, flags, arg, ptid, thread pointer of aarch64, ctid)
FUNCTION __transproc_clone
	and x1, x1, #-16
	stp x0, x3, [x1, #-16]!
	mov w0, w2
	mov x2, x4
	MOVABLE __transproc_clone, 16
	mov x3, x5
	mov x4, x6
	mov x8, #SYS_clone_native
	svc #0
	cbz x0, 1f
	ret
1:	.cfi_undefined x30
	mov x29, #0
	ldp x1, x0, [sp], #16
	blr x1
LABEL __transproc_clone_return
	mov x8, #SYS_exit_native
	svc #0
	brk #1
END __transproc_clone

// int __set_thread_area(thread pointer of aarch64)
FUNCTION __set_thread_area
	msr tpidr_el0, x0
	mov w0, #0
	ret
END __set_thread_area

// void __unmapself(base, size): frees the stack it runs on, so it may not touch it
FUNCTION __unmapself
	mov x8, #SYS_munmap_native
	svc #0
	mov x0, #0
	mov x8, #SYS_exit_native
	svc #0
	brk #1
END __unmapself

// pid_t vfork(void)
FUNCTION vfork
	mov x8, #SYS_clone_native
	mov x0, #CLONE_VFORK_VM_SIGCHLD
	mov x1, #0
	svc #0
	b __syscall_ret
END vfork

// int __transproc_isa(void): ELF e_machine
FUNCTION __transproc_isa
	mov w0, #183
	ret
END __transproc_isa

// ---- signals -------------------------------------------------------------------------------------------------------

FUNCTION __restore_rt
	mov x8, #SYS_rt_sigreturn_native    // debuggers recognise exactly these bytes
	svc #0
END __restore_rt
	.globl __restore
	.set __restore, __restore_rt

// Offsets of the neutral ucontext_t: uc_sigmask 40, uc_mcontext.__pc 168, .__sp 176 (checked in sigaction.c)
// void __transproc_context_read(const void *native, ucontext_t *neutral)
FUNCTION __transproc_context_read
	ldr x2, [x0, #40]
	str x2, [x1, #40]
	ldr x2, [x0, #440]
	str x2, [x1, #168]
	ldr x2, [x0, #432]
	str x2, [x1, #176]
	ret
END __transproc_context_read

// void __transproc_context_write(void *native, const ucontext_t *neutral): the signal mask and the pc may be changed by handlers
FUNCTION __transproc_context_write
	ldr x2, [x1, #40]
	str x2, [x0, #40]
	ldr x2, [x1, #168]
	str x2, [x0, #440]
	ret
END __transproc_context_write

// ---- floating-point environment ------------------------------------------------------------------------------------

// unsigned __transproc_fp_read(void): exception flags in bits 0-4, rounding mode in bits 8-9, numbered as in fenv.h (ARM ARM, FPCR, FPSR)
FUNCTION __transproc_fp_read
	mrs x0, fpsr
	and w0, w0, #0x1f
	mrs x1, fpcr
	ubfx w1, w1, #22, #2
	orr w0, w0, w1, lsl #8
	ret
END __transproc_fp_read

// void __transproc_fp_write(unsigned)
FUNCTION __transproc_fp_write
	mrs x1, fpsr
	bfi w1, w0, #0, #5
	msr fpsr, x1
	lsr w0, w0, #8
	mrs x1, fpcr
	bfi w1, w0, #22, #2
	msr fpcr, x1
	ret
END __transproc_fp_write

// ---- setjmp: the buffer is `unsigned long[22]`, flag and signal mask behind it at 176 and 184, on every ISA -------------

// Behind them what a migration needs (setjmp/jump.c): the frame's mark, or 0 for a function that cannot be migrated; the site; the mark's
// contents plus the number of migrations, at that time; whether the mask was saved; no record, as the memory may hold an older buffer's.
// While their sum has not changed, the machine's registers are good.
#define JUMP_MARK 200
#define JUMP_SITE 208
#define JUMP_KEY 216
#define JUMP_SAVES_MASK 224             // the record behind it
#define ARGS_MIGRATIONS 72

// int __transproc_setjmp(jmp_buf, unsigned long *mark, unsigned long site): as setjmp
FUNCTION __transproc_setjmp
	stp x1, x2, [x0, #JUMP_MARK]
	ldr x2, [x1]
	ADDRESS x1, __transproc_args
	ldr x1, [x1, #ARGS_MIGRATIONS]
	add x2, x2, x1
	str x2, [x0, #JUMP_KEY]
	stp xzr, xzr, [x0, #JUMP_SAVES_MASK]
	b __transproc_save_registers
END __transproc_setjmp

// int setjmp(jmp_buf)
FUNCTION setjmp
	str xzr, [x0, #JUMP_MARK]
LABEL __transproc_save_registers
	stp x19, x20, [x0, #0]
	stp x21, x22, [x0, #16]
	stp x23, x24, [x0, #32]
	stp x25, x26, [x0, #48]
	stp x27, x28, [x0, #64]
	stp x29, x30, [x0, #80]
	mov x2, sp
	str x2, [x0, #96]
	stp d8, d9, [x0, #104]
	stp d10, d11, [x0, #120]
	stp d12, d13, [x0, #136]
	stp d14, d15, [x0, #152]
	mov w0, #0
	ret
END setjmp
	.globl _setjmp, __setjmp
	.set _setjmp, setjmp
	.set __setjmp, setjmp

// _Noreturn void longjmp(jmp_buf, int)
FUNCTION longjmp
	ldr x2, [x0, #JUMP_MARK]
	cbz x2, 1f
	ldr x2, [x2]
	ADDRESS x3, __transproc_args
	ldr x3, [x3, #ARGS_MIGRATIONS]
	add x2, x2, x3
	ldr x3, [x0, #JUMP_KEY]
	cmp x2, x3
	b.eq 1f
	b __transproc_jump                  // does not return
1:
// _Noreturn void __transproc_load_registers(jmp_buf, int)
LABEL __transproc_load_registers
	ldp x19, x20, [x0, #0]
	ldp x21, x22, [x0, #16]
	ldp x23, x24, [x0, #32]
	ldp x25, x26, [x0, #48]
	ldp x27, x28, [x0, #64]
	ldp x29, x30, [x0, #80]
	ldr x2, [x0, #96]
	mov sp, x2
	ldp d8, d9, [x0, #104]
	ldp d10, d11, [x0, #120]
	ldp d12, d13, [x0, #136]
	ldp d14, d15, [x0, #152]
	cmp w1, #0
	csinc w0, w1, wzr, ne               // 0 becomes 1
	ret
END longjmp
	.globl _longjmp
	.set _longjmp, longjmp

// int sigsetjmp(sigjmp_buf, int save): saves and, at its second return, restores the mask in __sigsetjmp_tail
FUNCTION sigsetjmp
	mov x2, #0
	b 1f
	.balign 32
// int __transproc_sigsetjmp(sigjmp_buf, int save, unsigned long *mark, unsigned long site): as sigsetjmp
LABEL __transproc_sigsetjmp
1:	str x2, [x0, #JUMP_MARK]
	cbz x2, 2f
	str x3, [x0, #JUMP_SITE]
	ldr x2, [x2]
	ADDRESS x3, __transproc_args
	ldr x3, [x3, #ARGS_MIGRATIONS]
	add x2, x2, x3
	str x2, [x0, #JUMP_KEY]
	mov w1, w1
	stp x1, xzr, [x0, #JUMP_SAVES_MASK]
2:	cbz w1, __transproc_save_registers
	str x30, [x0, #176]
	str x19, [x0, #192]
	mov x19, x0
	.cfi_undefined x30
	bl __transproc_save_registers
	mov w1, w0
	mov x0, x19
	ldr x30, [x0, #176]
	ldr x19, [x0, #192]
	b __sigsetjmp_tail
END sigsetjmp
	.globl __sigsetjmp
	.set __sigsetjmp, sigsetjmp

// ---- the processor (runtime/libc/internal/processor.h) --------------------------------------------------------------

// unsigned __transproc_abilities(void): every processor has ABILITY_FUSED, and vectors are of 16 bytes
FUNCTION __transproc_abilities
	mov w0, #2
	ret
END __transproc_abilities

// double __transproc_fma(double x, double y, double z), float __transproc_fmaf(float x, float y, float z)
FUNCTION __transproc_fma
	fmadd d0, d0, d1, d2
	ret
END __transproc_fma

FUNCTION __transproc_fmaf
	fmadd s0, s0, s1, s2
	ret
END __transproc_fmaf

	.section .note.GNU-stack,"",%progbits
