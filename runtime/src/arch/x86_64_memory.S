/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// memcpy, memmove and memset for x86_64, with SSE2, which every x86_64 has, and between 128 and 2048 bytes with AVX, if the processor has it
// (runtime/libc/internal/processor.h).
// Up to 128 bytes are moved by loads and stores from both ends, which overlap in the middle: no loop, and no branch but on the size.
// Everything is loaded before anything is stored, so memcpy and memmove are one routine. Each function lies in a section of its own, at
// the address of its twin (aarch64_memory.S). Calling convention: System V psABI, section 3.2.

// From this size on `rep movsq` and `rep stosq`, which take tens of cycles to start, are at least as fast as a loop of SSE2. The
// variants for bytes are fast on newer processors only (ERMS).
#define STRING_INSTRUCTION 2048

#define ARGS_MOVES 80

#include "functions.h"

// Goes on at `wide` with vectors of 32 bytes, or, if that has not been asked since the last move, at `ask`. (WITH_ABILITY of processor.h)
.macro IF_WIDE wide, ask
	mov __transproc_args+ARGS_MOVES, %r8
	cmp %r8, __transproc_processor+8
	je \wide
	cmp %r8, __transproc_processor
	jne \ask
.endm

// Asks, and begins the function again.
.macro ASK_FIRST function
	push %rdi
	.cfi_adjust_cfa_offset 8
	push %rsi
	.cfi_adjust_cfa_offset 8
	push %rdx
	.cfi_adjust_cfa_offset 8
	call __transproc_ask_processor
	pop %rdx
	.cfi_adjust_cfa_offset -8
	pop %rsi
	.cfi_adjust_cfa_offset -8
	pop %rdi
	.cfi_adjust_cfa_offset -8
	jmp \function
.endm

// Loads or stores 128 bytes in ymm\a … ymm\d.
.macro LOAD128 offset, base, a, b, c, d
	vmovdqu \offset(\base), %ymm\a
	vmovdqu 32+\offset(\base), %ymm\b
	vmovdqu 64+\offset(\base), %ymm\c
	vmovdqu 96+\offset(\base), %ymm\d
.endm

.macro STORE128 offset, base, a, b, c, d
	vmovdqu %ymm\a, \offset(\base)
	vmovdqu %ymm\b, 32+\offset(\base)
	vmovdqu %ymm\c, 64+\offset(\base)
	vmovdqu %ymm\d, 96+\offset(\base)
.endm

// Loads or stores 64 bytes in xmm\a … xmm\d.
.macro LOAD64 at, a, b, c, d
	movups \at(%rsi), %xmm\a
	movups 16+\at(%rsi), %xmm\b
	movups 32+\at(%rsi), %xmm\c
	movups 48+\at(%rsi), %xmm\d
.endm

.macro STORE64 at, a, b, c, d
	movups %xmm\a, \at(%rdi)
	movups %xmm\b, 16+\at(%rdi)
	movups %xmm\c, 32+\at(%rdi)
	movups %xmm\d, 48+\at(%rdi)
.endm

// ---- void *memmove(void *to, const void *from, size_t n), void *memcpy(…) ------------------------------------------

FUNCTION memcpy
	.type memmove,@function
LABEL memmove
	mov %rdi, %rax
	cmp $16, %rdx
	jb .Lmove_under_16
	movups (%rsi), %xmm0
	movups -16(%rsi,%rdx), %xmm1
	cmp $32, %rdx
	ja .Lmove_over_32
	movups %xmm0, (%rdi)
	movups %xmm1, -16(%rdi,%rdx)
	ret

	.balign 16
.Lmove_over_32:
	movups 16(%rsi), %xmm2
	movups -32(%rsi,%rdx), %xmm3
	cmp $64, %rdx
	ja .Lmove_over_64
	movups %xmm0, (%rdi)
	movups %xmm2, 16(%rdi)
	movups %xmm3, -32(%rdi,%rdx)
	movups %xmm1, -16(%rdi,%rdx)
	ret

	.balign 16
.Lmove_over_64:
	cmp $128, %rdx
	ja .Lmove_over_128
	movups 32(%rsi), %xmm4
	movups 48(%rsi), %xmm5
	movups -64(%rsi,%rdx), %xmm6
	movups -48(%rsi,%rdx), %xmm7
	STORE64 0, 0, 2, 4, 5
	movups %xmm6, -64(%rdi,%rdx)
	movups %xmm7, -48(%rdi,%rdx)
	movups %xmm3, -32(%rdi,%rdx)
	movups %xmm1, -16(%rdi,%rdx)
	ret

	.balign 16
.Lmove_under_16:
	cmp $8, %edx
	jae .Lmove_over_7
	cmp $4, %edx
	jae .Lmove_over_3
	test %edx, %edx
	jz .Lmove_done
	movzbl (%rsi), %ecx
	cmp $1, %edx
	je .Lmove_1
	movzwl -2(%rsi,%rdx), %r8d
	mov %r8w, -2(%rdi,%rdx)
.Lmove_1:
	mov %cl, (%rdi)
.Lmove_done:
	ret
.Lmove_over_3:
	mov (%rsi), %ecx
	mov -4(%rsi,%rdx), %r8d
	mov %ecx, (%rdi)
	mov %r8d, -4(%rdi,%rdx)
	ret
.Lmove_over_7:
	mov (%rsi), %rcx
	mov -8(%rsi,%rdx), %r8
	mov %rcx, (%rdi)
	mov %r8, -8(%rdi,%rdx)
	ret

	.balign 16
.Lmove_over_128:                                // xmm0 holds the first 16 bytes, xmm3 and xmm1 the last 32
	mov %rdi, %rcx
	sub %rsi, %rcx                          // to - from
	cmp %rdx, %rcx
	jb .Lmove_down                          // the end of `from` lies in `to`: from the end
	cmp $STRING_INSTRUCTION, %rdx
	jae .Lmove_string
	IF_WIDE .Lmove_wide, .Lmove_ask
.Lmove_up:                                      // 64 bytes a turn, stores aligned; the ends come last
	movups -64(%rsi,%rdx), %xmm8
	movups -48(%rsi,%rdx), %xmm9
	lea (%rdi,%rdx), %r9
	mov %rdi, %rcx
	and $-16, %rdi
	add $16, %rdi                           // the first aligned address beyond the start
	sub %rcx, %rsi
	add %rdi, %rsi
	lea -64(%r9), %r8                       // the last 64 bytes are stored from registers
	.balign 16
.Lmove_up_loop:
	LOAD64 0, 4, 5, 6, 7
	add $64, %rsi
	movaps %xmm4, (%rdi)
	movaps %xmm5, 16(%rdi)
	movaps %xmm6, 32(%rdi)
	movaps %xmm7, 48(%rdi)
	add $64, %rdi
	cmp %r8, %rdi
	jb .Lmove_up_loop
	movups %xmm8, -64(%r9)
	movups %xmm9, -48(%r9)
	movups %xmm3, -32(%r9)
	movups %xmm1, -16(%r9)
	movups %xmm0, (%rax)
	ret

	.balign 16
.Lmove_wide:
	cmp $256, %rdx
	ja .Lmove_wide_up
	lea (%rsi,%rdx), %rcx
	lea (%rdi,%rdx), %r8
	LOAD128 0, %rsi, 0, 1, 2, 3
	LOAD128 -128, %rcx, 4, 5, 6, 7
	STORE128 0, %rdi, 0, 1, 2, 3
	STORE128 -128, %r8, 4, 5, 6, 7
	vzeroupper
	ret

	.balign 16
.Lmove_wide_up:                                 // 128 bytes a turn, as above
	vmovdqu (%rsi), %ymm8
	lea (%rsi,%rdx), %rcx
	LOAD128 -128, %rcx, 4, 5, 6, 7
	lea (%rdi,%rdx), %r9
	mov %rdi, %rcx
	and $-32, %rdi
	add $32, %rdi
	sub %rcx, %rsi
	add %rdi, %rsi
	lea -128(%r9), %r8
	.balign 16
.Lmove_wide_loop:
	LOAD128 0, %rsi, 0, 1, 2, 3
	add $128, %rsi
	STORE128 0, %rdi, 0, 1, 2, 3
	add $128, %rdi
	cmp %r8, %rdi
	jb .Lmove_wide_loop
	STORE128 -128, %r9, 4, 5, 6, 7
	vmovdqu %ymm8, (%rax)
	vzeroupper
	ret

.Lmove_ask:
	ASK_FIRST memcpy

.Lmove_string:
	mov %rsi, %r8
	sub %rdi, %r8                           // from - to
	cmp $64, %r8
	jb .Lmove_up                            // a short distance downwards: string instructions go byte by byte
	lea (%rdi,%rdx), %r9
	and $-16, %rdi
	add $16, %rdi
	mov %rdi, %rcx
	sub %rax, %rcx                          // bytes before the first aligned address
	add %rcx, %rsi
	sub %rcx, %rdx
	mov %rdx, %rcx
	shr $3, %rcx
	rep movsq
	movups %xmm1, -16(%r9)
	movups %xmm0, (%rax)
	ret

	.balign 16
.Lmove_down:
	test %rcx, %rcx
	jz .Lmove_done                          // onto itself
	movups 32(%rsi), %xmm8
	movups 48(%rsi), %xmm9
	lea (%rdi,%rdx), %r9
	mov %r9, %r8
	and $-16, %r9                           // the last aligned address
	sub %r9, %r8
	sub %r8, %rdx                           // bytes up to there
	lea (%rsi,%rdx), %rsi
	mov %r9, %rdi
	add %rdi, %r8                           // the end again
	lea 64(%rax), %r10                      // the first 64 bytes are stored from registers
	.balign 16
.Lmove_down_loop:
	LOAD64 -64, 4, 5, 6, 7
	sub $64, %rsi
	movaps %xmm7, -16(%rdi)
	movaps %xmm6, -32(%rdi)
	movaps %xmm5, -48(%rdi)
	movaps %xmm4, -64(%rdi)
	sub $64, %rdi
	cmp %r10, %rdi
	ja .Lmove_down_loop
	movups %xmm1, -16(%r8)
	movups %xmm0, (%rax)
	movups %xmm2, 16(%rax)
	movups %xmm8, 32(%rax)
	movups %xmm9, 48(%rax)
	ret
END memcpy
	.size memmove, . - memmove

// ---- void *memset(void *at, int byte, size_t n) --------------------------------------------------------------------

FUNCTION memset
	movzbl %sil, %esi
	mov %rdi, %rax
	movabs $0x0101010101010101, %rcx
	imul %rsi, %rcx                         // eight times the byte
	cmp $16, %rdx
	jb .Lset_under_16
	movq %rcx, %xmm0
	punpcklqdq %xmm0, %xmm0
	movups %xmm0, (%rdi)
	movups %xmm0, -16(%rdi,%rdx)
	cmp $32, %rdx
	jbe .Lset_done
	movups %xmm0, 16(%rdi)
	movups %xmm0, -32(%rdi,%rdx)
	cmp $64, %rdx
	jbe .Lset_done
	movups %xmm0, 32(%rdi)
	movups %xmm0, 48(%rdi)
	movups %xmm0, -64(%rdi,%rdx)
	movups %xmm0, -48(%rdi,%rdx)
	cmp $128, %rdx
	jbe .Lset_done
	cmp $STRING_INSTRUCTION, %rdx
	jae .Lset_string
	IF_WIDE .Lset_wide, .Lset_ask
	lea -64(%rdi,%rdx), %r8                 // both ends are stored already
	add $64, %rdi
	and $-16, %rdi
	.balign 16
.Lset_loop:
	movaps %xmm0, (%rdi)
	movaps %xmm0, 16(%rdi)
	movaps %xmm0, 32(%rdi)
	movaps %xmm0, 48(%rdi)
	add $64, %rdi
	cmp %r8, %rdi
	jb .Lset_loop
.Lset_done:
	ret

	.balign 16
.Lset_wide:
	vinserti128 $1, %xmm0, %ymm0, %ymm0
	lea (%rdi,%rdx), %r9
	lea -128(%r9), %r8
	add $64, %rdi
	and $-32, %rdi
	cmp %r8, %rdi
	jae .Lset_wide_end
	.balign 16
.Lset_wide_loop:
	STORE128 0, %rdi, 0, 0, 0, 0
	add $128, %rdi
	cmp %r8, %rdi
	jb .Lset_wide_loop
.Lset_wide_end:
	vmovdqu %ymm0, -128(%r9)
	vmovdqu %ymm0, -96(%r9)
	vzeroupper
	ret

.Lset_ask:
	ASK_FIRST memset

.Lset_string:
	mov %rax, %r8
	lea (%rdi,%rdx), %rdx
	and $-16, %rdi
	add $16, %rdi
	sub %rdi, %rdx
	mov %rcx, %rax
	mov %rdx, %rcx
	shr $3, %rcx                            // both ends are stored already
	rep stosq
	mov %r8, %rax
	ret

	.balign 16
.Lset_under_16:
	cmp $8, %edx
	jae .Lset_over_7
	cmp $4, %edx
	jae .Lset_over_3
	test %edx, %edx
	jz .Lset_done
	mov %cl, (%rdi)
	cmp $1, %edx
	je .Lset_done
	mov %cx, -2(%rdi,%rdx)
	ret
.Lset_over_3:
	mov %ecx, (%rdi)
	mov %ecx, -4(%rdi,%rdx)
	ret
.Lset_over_7:
	mov %rcx, (%rdi)
	mov %rcx, -8(%rdi,%rdx)
	ret
END memset
	.section .note.GNU-stack,"",@progbits
