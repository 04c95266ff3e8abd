/* The runtime's leaf, start and clone, as docs/format.md describes them, for the target program. */
.text
.globl _start, __transproc_start_return
_start:	xor %ebp, %ebp
	mov %rsp, %rdi
	and $-16, %rsp
	call target_main
__transproc_start_return:
	mov %eax, %edi
	mov $231, %eax
	syscall

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
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov %rsp, %rbp
	.cfi_def_cfa_register %rbp
	sub $64, %rsp
	mov %rdi, -64(%rbp)
	mov %rsi, -56(%rbp)
	mov %rdx, -48(%rbp)
	mov %rcx, -40(%rbp)
	mov %r8, -32(%rbp)
	mov %r9, -24(%rbp)
	mov 16(%rbp), %r9
	mov %r9, -16(%rbp)
	movzwl numbers(,%rdi,2), %eax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov -24(%rbp), %r8
__transproc_syscall_trap:
	syscall
__transproc_syscall_done:
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
.size __transproc_syscall, . - __transproc_syscall

/* target_clone(flags, stack, function, argument) */
.globl target_clone, __transproc_clone_return
target_clone:
	mov %rdx, %r9
	mov %rcx, %r8
	mov $56, %eax
	syscall
	test %eax, %eax
	jnz 1f
	xor %ebp, %ebp
	mov %r8, %rdi
	call *%r9
__transproc_clone_return:
	mov %eax, %edi
	mov $60, %eax
	syscall
1:	ret

.globl target_restore
target_restore:
	mov $15, %eax
	syscall

.globl __transproc_resume_return, __transproc_resume_syscall_return
__transproc_resume_return: hlt
__transproc_resume_syscall_return: hlt

/* Neutral number to this kernel's. */
.section .rodata.numbers, "a"
numbers:
	.macro number neutral, own
	.org numbers + 2 * \neutral
	.short \own
	.endm
	number 20, 291
	number 22, 281
	number 59, 293
	number 63, 0
	number 64, 1
	number 73, 271
	number 93, 60
	number 94, 231
	number 98, 202
	number 103, 38
	number 113, 228
	number 115, 230
	number 124, 24
	number 129, 62
	number 133, 130
	number 134, 13
	number 172, 39
	number 178, 186
	number 220, 56
	number 260, 61
	number 300, 0
.section .note.GNU-stack, "", @progbits
