/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// memcpy, memmove and memset for aarch64, after the plan of x86_64_memory.S: up to 128 bytes by loads and stores from both
// ends, which overlap in the middle; above that, 64 bytes a turn. Everything is loaded before anything is stored, so memcpy and memmove are
// one routine. Only registers that a call may change: x0 … x8, v0 … v7, v16, v17 (AAPCS64, section 6.1).

#include "functions.h"

// ---- void *memmove(void *to, const void *from, size_t n), void *memcpy(…) ------------------------------------------

FUNCTION memcpy
	.type memmove,@function
LABEL memmove
	add x3, x1, x2                          // ends
	add x4, x0, x2
	cmp x2, #16
	b.lo .Lmove_under_16
	ldr q0, [x1]
	ldr q1, [x3, #-16]
	cmp x2, #32
	b.hi .Lmove_over_32
	str q0, [x0]
	str q1, [x4, #-16]
	ret

	.balign 16
.Lmove_over_32:
	ldr q2, [x1, #16]
	ldr q3, [x3, #-32]
	cmp x2, #64
	b.hi .Lmove_over_64
	stp q0, q2, [x0]
	stp q3, q1, [x4, #-32]
	ret

	.balign 16
.Lmove_over_64:
	cmp x2, #128
	b.hi .Lmove_over_128
	ldp q4, q5, [x1, #32]
	ldp q6, q7, [x3, #-64]
	stp q0, q2, [x0]
	stp q4, q5, [x0, #32]
	stp q6, q7, [x4, #-64]
	stp q3, q1, [x4, #-32]
	ret

	.balign 16
.Lmove_under_16:
	cmp x2, #8
	b.hs .Lmove_over_7
	cmp x2, #4
	b.hs .Lmove_over_3
	cbz x2, .Lmove_done
	ldrb w5, [x1]
	cmp x2, #1
	b.eq .Lmove_1
	ldrh w6, [x3, #-2]
	strh w6, [x4, #-2]
.Lmove_1:
	strb w5, [x0]
.Lmove_done:
	ret
.Lmove_over_3:
	ldr w5, [x1]
	ldr w6, [x3, #-4]
	str w5, [x0]
	str w6, [x4, #-4]
	ret
.Lmove_over_7:
	ldr x5, [x1]
	ldr x6, [x3, #-8]
	str x5, [x0]
	str x6, [x4, #-8]
	ret

	.balign 16
.Lmove_over_128:                                // q0 holds the first 16 bytes, q2 the next, q3 and q1 the last 32
	sub x5, x0, x1
	cmp x5, x2
	b.lo .Lmove_down                        // the end of `from` lies in `to`: from the end
	ldp q16, q17, [x3, #-64]
	and x6, x0, #-16
	add x6, x6, #16                         // the first aligned address beyond the start
	sub x7, x6, x0
	add x7, x1, x7
	sub x8, x4, #64                         // the last 64 bytes are stored from registers
	.balign 16
.Lmove_up_loop:
	ldp q4, q5, [x7]
	ldp q6, q7, [x7, #32]
	add x7, x7, #64
	stp q4, q5, [x6]
	stp q6, q7, [x6, #32]
	add x6, x6, #64
	cmp x6, x8
	b.lo .Lmove_up_loop
	stp q16, q17, [x4, #-64]
	stp q3, q1, [x4, #-32]
	str q0, [x0]
	ret

	.balign 16
.Lmove_down:
	cbz x5, .Lmove_done                     // onto itself
	ldp q16, q17, [x1, #32]
	and x6, x4, #-16                        // the last aligned address
	sub x7, x4, x6
	sub x7, x3, x7
	add x8, x0, #64                         // the first 64 bytes are stored from registers
	.balign 16
.Lmove_down_loop:
	ldp q4, q5, [x7, #-32]
	ldp q6, q7, [x7, #-64]
	sub x7, x7, #64
	stp q4, q5, [x6, #-32]
	stp q6, q7, [x6, #-64]
	sub x6, x6, #64
	cmp x6, x8
	b.hi .Lmove_down_loop
	str q1, [x4, #-16]
	stp q0, q2, [x0]
	stp q16, q17, [x0, #32]
	ret
END memcpy
	.size memmove, . - memmove

// ---- void *memset(void *at, int byte, size_t n) --------------------------------------------------------------------

FUNCTION memset
	dup v0.16b, w1
	add x4, x0, x2
	cmp x2, #16
	b.lo .Lset_under_16
	str q0, [x0]
	str q0, [x4, #-16]
	cmp x2, #32
	b.ls .Lset_done
	str q0, [x0, #16]
	str q0, [x4, #-32]
	cmp x2, #64
	b.ls .Lset_done
	stp q0, q0, [x0, #32]
	stp q0, q0, [x4, #-64]
	cmp x2, #128
	b.ls .Lset_done
	sub x4, x4, #64                         // both ends are stored already
	add x3, x0, #64
	and x3, x3, #-16
	.balign 16
.Lset_loop:
	stp q0, q0, [x3]
	stp q0, q0, [x3, #32]
	add x3, x3, #64
	cmp x3, x4
	b.lo .Lset_loop
.Lset_done:
	ret

	.balign 16
.Lset_under_16:
	umov x3, v0.d[0]
	cmp x2, #8
	b.hs .Lset_over_7
	cmp x2, #4
	b.hs .Lset_over_3
	cbz x2, .Lset_done
	strb w3, [x0]
	cmp x2, #1
	b.eq .Lset_done
	strh w3, [x4, #-2]
	ret
.Lset_over_3:
	str w3, [x0]
	str w3, [x4, #-4]
	ret
.Lset_over_7:
	str x3, [x0]
	str x3, [x4, #-8]
	ret
END memset
	.section .note.GNU-stack,"",%progbits
