/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Frames, by the call-frame information of this ISA: .eh_frame as LLVM writes it (DWARF 5, section 6.4; LSB Core 5.0, 10.6). */
#ifndef TRANSPROC_CXX_FRAMES_H
#define TRANSPROC_CXX_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define hidden __attribute__((__visibility__("hidden")))

enum { REGISTERS = 80 };

struct _Unwind_Context { /* the assembly knows it */
	uint64_t reg[REGISTERS];   /* by DWARF number: those that callees keep, and the stack pointer */
	uint64_t pc, argument[2];  /* of the landing pad */
	uint64_t start, lsda, cfa;
	uintptr_t personality;
};
_Static_assert(offsetof(struct _Unwind_Context, pc) == 640, "assembly");
_Static_assert(offsetof(struct _Unwind_Context, argument) == 648, "assembly");

/* How the CFA and the caller's registers are found. */
struct row {
	int64_t cfa_offset;
	uint32_t cfa_register;
	uint8_t rule[REGISTERS];
	int32_t value[REGISTERS];
};

/* Of this ISA: DWARF numbers of the return address, the stack pointer, and the register in which the resume loop keeps its record. */
struct isa {
	uint32_t return_register, stack_pointer, record;
};

hidden struct isa __transproc_this_isa(void);

/* Notes where the frame's function begins, its handlers, and its CFA; and the rules by which its caller's registers are found. 0: unknown. */
hidden int __transproc_look_up(struct _Unwind_Context *c, struct row *row);

/* Goes to the caller's frame; 0: there is none. */
hidden int __transproc_step(struct _Unwind_Context *c, const struct row *row);

#endif
