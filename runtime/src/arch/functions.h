/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// How the assembly of both ISAs writes its functions: each lies in a section of its own, so that the linker gives it the same address as
// its twin of the other ISA.
	.cfi_sections .debug_frame

.macro BEGIN name, type
	.section .text.\name,"ax",@progbits
	.balign 16
	.globl \name
	.type \name,@\type
\name:
.endm

.macro FUNCTION name
	BEGIN \name, function
	.cfi_startproc
.endm

.macro END name
	.cfi_endproc
	.size \name, . - \name
.endm

.macro LABEL name
	.globl \name
\name:
.endm

// So many bytes from the beginning of a function hold whole instructions that may lie anywhere: `transproc stress` runs them elsewhere
// (runtime/self/<isa>/context.h).
.macro MOVABLE function, bytes
	.if . - \function != \bytes
	.error "runtime/self moves another number of bytes"
	.endif
.endm
