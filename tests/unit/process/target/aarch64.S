/* The runtime's leaf, start and clone, as docs/format.md describes them, for the target program. */
.text
.globl _start, __transproc_start_return
_start:	mov x29, #0
	mov x30, #0
	mov x0, sp
	bl target_main
__transproc_start_return:
	mov x8, #94
	svc #0

/* What loops look at; the target's are so short that they need not. */
.balign 4
.globl __transproc_poll
__transproc_poll:
	.long 0
.balign 8
.globl __transproc_labels, __transproc_points
__transproc_labels:
	.quad 0
__transproc_points:
	.quad 0

.globl __transproc_syscall, __transproc_syscall_trap, __transproc_syscall_done
.type __transproc_syscall, @function
__transproc_syscall:
	.cfi_startproc
	sub sp, sp, #96
	.cfi_def_cfa_offset 96
	stp x0, x1, [sp, #16]
	stp x2, x3, [sp, #32]
	stp x4, x5, [sp, #48]
	stp x6, x30, [sp, #64]
	.cfi_offset x30, -24
	mov x8, x0
	mov x0, x1
	mov x1, x2
	mov x2, x3
	mov x3, x4
	mov x4, x5
	mov x5, x6
__transproc_syscall_trap:
	svc #0
__transproc_syscall_done:
	ldr x30, [sp, #72]
	add sp, sp, #96
	.cfi_def_cfa_offset 0
	.cfi_restore x30
	ret
	.cfi_endproc
.size __transproc_syscall, . - __transproc_syscall

/* target_clone(flags, stack, function, argument) */
.globl target_clone, __transproc_clone_return
target_clone:
	mov x9, x2
	mov x10, x3
	mov x2, #0
	mov x3, #0
	mov x4, #0
	mov x8, #220
	svc #0
	cbnz x0, 1f
	mov x29, #0
	mov x30, #0
	mov x0, x10
	blr x9
__transproc_clone_return:
	mov x8, #93
	svc #0
1:	ret

.globl target_restore
target_restore:
	mov x8, #139
	svc #0

.globl __transproc_resume_return, __transproc_resume_syscall_return
__transproc_resume_return: brk #1
__transproc_resume_syscall_return: brk #1
.section .note.GNU-stack, "", @progbits
