/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The resume record (docs/format.md, section 4): what the transformer writes for one frame, and what the frame's resume entry reads. */
#ifndef TRANSPROC_RECORD_H
#define TRANSPROC_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Records lie at multiples of this: wide slots and results may be vectors. */
#define TRANSPROC_RECORD_ALIGNMENT 64

struct transproc_record {
	void (*enter)(struct transproc_record *); /* resume entry of the frame's function */
	struct transproc_record *outer;           /* the caller's record */
	uint64_t site;                            /* stack map id */
	void **objects;                           /* addresses of the function's stack objects, in list order */
	uint64_t result[4];                       /* result of the pending call, as the type lies in memory */
	void *base;                               /* stack pointer on which `enter` is called: below all that the frame and outer ones own */
	uint64_t size;                            /* of the record, in bytes */
	uint64_t slots[];                         /* narrow values, 8 bytes each; then, 16-aligned, wide values */
};

/* The slots of a thread blocked in a system call: neutral number, then six arguments. */
#define TRANSPROC_SYSCALL_SLOTS 7

_Static_assert(offsetof(struct transproc_record, enter) == 0, "assembly reads it");
_Static_assert(offsetof(struct transproc_record, outer) == 8, "assembly reads it");
_Static_assert(offsetof(struct transproc_record, site) == 16, "resume entries read it");
_Static_assert(offsetof(struct transproc_record, objects) == 24, "resume entries read it");
_Static_assert(offsetof(struct transproc_record, result) == 32, "assembly reads it");
_Static_assert(offsetof(struct transproc_record, base) == 64, "assembly reads it");
_Static_assert(offsetof(struct transproc_record, slots) == 80, "resume entries read it");

#endif
