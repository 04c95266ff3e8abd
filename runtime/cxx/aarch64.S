/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The unwinder's assembly for aarch64. The context (frames.h): 80 registers by DWARF number, the pc at 640, two arguments at 648.
#include "../src/arch/functions.h"
#define SIZE 704
#define PC 640
#define ARGUMENT 648

// Fills the context at \base with the caller's registers, whose stack pointer is in x9, and whose return address is still in x30.
.macro CAPTURE base
	stp x19, x20, [\base, #8*19]
	stp x21, x22, [\base, #8*21]
	stp x23, x24, [\base, #8*23]
	stp x25, x26, [\base, #8*25]
	stp x27, x28, [\base, #8*27]
	stp x29, x30, [\base, #8*29]
	str x9, [\base, #8*31]
	add x10, \base, #8*72
	stp d8, d9, [x10]
	stp d10, d11, [x10, #16]
	stp d12, d13, [x10, #32]
	stp d14, d15, [x10, #48]
	str x30, [\base, #PC]
.endm

// name(x) becomes function(x, context of the caller)
.macro ENTRY name, function
FUNCTION \name
	mov x9, sp
	sub sp, sp, #SIZE
	.cfi_def_cfa_offset SIZE
	.cfi_offset x30, 8*30-SIZE
	CAPTURE sp
	mov x1, sp
	bl \function
	ldr x30, [sp, #8*30]
	add sp, sp, #SIZE
	.cfi_def_cfa_offset 0
	.cfi_restore x30
	ret
END \name
.endm

	ENTRY _Unwind_RaiseException, __transproc_raise_exception
	ENTRY _Unwind_Resume_or_Rethrow, __transproc_raise_exception
	ENTRY _Unwind_Resume, __transproc_unwind_resume
	ENTRY __transproc_raise, __transproc_raise_again

// uint64_t __transproc_ask(record, context): fills the context with what it takes to return from here, and enters the record. 0: it returned.
FUNCTION __transproc_ask
	mov x9, sp
	CAPTURE x1
	str x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x30, -16
	ldr x1, [x0]
	blr x1
	mov x0, #0
	ldr x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x30
	ret
END __transproc_ask

// _Noreturn void __transproc_land(context)
FUNCTION __transproc_land
	ldp x19, x20, [x0, #8*19]
	ldp x21, x22, [x0, #8*21]
	ldp x23, x24, [x0, #8*23]
	ldp x25, x26, [x0, #8*25]
	ldp x27, x28, [x0, #8*27]
	ldp x29, x30, [x0, #8*29]
	add x10, x0, #8*72
	ldp d8, d9, [x10]
	ldp d10, d11, [x10, #16]
	ldp d12, d13, [x10, #32]
	ldp d14, d15, [x10, #48]
	ldr x9, [x0, #PC]
	ldr x10, [x0, #8*31]
	add x11, x0, #ARGUMENT
	ldp x0, x1, [x11]
	mov sp, x10
	br x9
END __transproc_land
	.section .note.GNU-stack,"",@progbits
