/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The unwinder's assembly for x86_64. The context (frames.h): 80 registers by DWARF number, the pc at 640, two arguments at 648.
#include "../src/arch/functions.h"
#define SIZE 704
#define PC 640
#define ARGUMENT 648

// Fills the context at \base with the caller's registers; \pushed bytes are on the stack above the return address' place.
.macro CAPTURE base, pushed
	mov %rbx, 8*3(\base)
	mov %rbp, 8*6(\base)
	mov %r12, 8*12(\base)
	mov %r13, 8*13(\base)
	mov %r14, 8*14(\base)
	mov %r15, 8*15(\base)
	lea \pushed+8(%rsp), %rax
	mov %rax, 8*7(\base)
	mov \pushed(%rsp), %rax
	mov %rax, PC(\base)
.endm

// name(x) becomes function(x, context of the caller)
.macro ENTRY name, function
FUNCTION \name
	sub $SIZE+8, %rsp
	.cfi_adjust_cfa_offset SIZE+8
	CAPTURE %rsp, SIZE+8
	mov %rsp, %rsi
	call \function
	add $SIZE+8, %rsp
	.cfi_adjust_cfa_offset -SIZE-8
	ret
END \name
.endm

	ENTRY _Unwind_RaiseException, __transproc_raise_exception
	ENTRY _Unwind_Resume_or_Rethrow, __transproc_raise_exception
	ENTRY _Unwind_Resume, __transproc_unwind_resume
	ENTRY __transproc_raise, __transproc_raise_again

// uint64_t __transproc_ask(record, context): fills the context with what it takes to return from here, and enters the record. 0: it returned.
FUNCTION __transproc_ask
	CAPTURE %rsi, 0
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	call *(%rdi)
	xor %eax, %eax
	add $8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
END __transproc_ask

// _Noreturn void __transproc_land(context)
FUNCTION __transproc_land
	mov 8*3(%rdi), %rbx
	mov 8*6(%rdi), %rbp
	mov 8*12(%rdi), %r12
	mov 8*13(%rdi), %r13
	mov 8*14(%rdi), %r14
	mov 8*15(%rdi), %r15
	mov ARGUMENT(%rdi), %rax
	mov ARGUMENT+8(%rdi), %rdx
	mov PC(%rdi), %rcx
	mov 8*7(%rdi), %rsp
	jmp *%rcx
END __transproc_land
	.section .note.GNU-stack,"",@progbits
