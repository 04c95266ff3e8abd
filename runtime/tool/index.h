/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The site index of a running program's executable (docs/format.md, section 6), read and checked once so that everything else
 * may trust its numbers.
 */
#ifndef TOOL_INDEX_H
#define TOOL_INDEX_H

#include "base.h"

enum {
	TABLE_FUNCTIONS, TABLE_SITES, TABLE_LOCATIONS, TABLE_CONSTANTS, TABLE_ROWS, TABLE_SAVED, TABLE_OBJECTS, TABLE_SPECIALS,
	TABLE_STRINGS, TABLES = 12,
};
enum { SITE_POINT = 1 /* of id */, SITE_IN_RESUME = 1, SITE_NO_STOP = 2 /* of flags */ };
enum special_kind {
	SPECIAL_TRAP = 1, SPECIAL_DONE, SPECIAL_MAIN_BOTTOM, SPECIAL_THREAD_BOTTOM, SPECIAL_LOOP, SPECIAL_SYSCALL_RETURN, SPECIAL_POLL, SPECIAL_LABELS, SPECIAL_POINTS,
};

struct index_header {
	char magic[8];
	uint32_t machine, flags;
	uint8_t build_id[20], mate[20];
	uint64_t text_start, text_end;
	struct {
		uint32_t offset, count;
	} table[TABLES];
	uint64_t loop, syscall_resume, end, tp_offset, args;
};

struct function {
	uint64_t address, resume;
	uint32_t size, name, object;
	uint16_t objects, flags;
	uint64_t hash;
};

struct site {
	uint64_t pc;
	uint32_t function, id, location;
	uint16_t narrow, wide;
	uint32_t row, result, size, flags;
};

struct row {
	uint16_t cfa_register, saved_count;
	int32_t cfa_offset;
	uint32_t saved, pad;
};

struct saved {
	uint16_t reg, pad;
	int32_t offset;
};

struct location {
	uint8_t kind, size;
	uint16_t reg;
	int32_t offset;
};

struct object {
	uint16_t reg, pad;
	int32_t offset;
	uint32_t size, alignment;
};

struct special {
	uint64_t pc;
	uint32_t kind, row;
};

_Static_assert(offsetof(struct index_header, text_start) == 56, "docs/format.md");
_Static_assert(offsetof(struct index_header, table) == 72, "docs/format.md");
_Static_assert(sizeof(struct function) == 40 && sizeof(struct site) == 40, "docs/format.md");
_Static_assert(sizeof(struct index_header) == 208 && sizeof(struct location) == 8 && sizeof(struct object) == 16, "docs/format.md");
_Static_assert(sizeof(struct row) == 16 && sizeof(struct saved) == 8 && sizeof(struct special) == 16, "docs/format.md");

struct index {
	struct index *next;
	uint64_t device, inode; /* of the executable */
	const uint8_t *planted; /* spaces.c: the common text with breakpoints; NULL until first needed */
	uint64_t text_start, text_end;
	const struct function *functions;
	const struct site *sites;
	const struct row *rows;
	const struct saved *saved;
	const struct special *specials;
	const struct location *locations;
	const uint64_t *constants;
	const struct object *objects;
	const char *strings;
	uint64_t poll; /* address of the word that loops look at: with a 1 there they go to their points */
	uint64_t labels, points; /* addresses of two tables of one size, one behind the other: where interpreters go on, and by way of their points */
	uint64_t loop, end, args; /* addresses of __transproc_resume_loop, __transproc_end, __transproc_args */
	uint32_t location_count, constant_count, object_count;
	uint32_t function_count, site_count, row_count, saved_count, special_count, string_size;
};

/* The index of a process's executable; NULL with the reason in *why if it has none or it is damaged, no reason if it is ending. */
struct index *index_of(int pid, const char **why);

/* The same for an open executable. */
struct index *index_of_file(int fd, const char **why);

/* Whether `size` bytes from an address on lie in the common text. */
bool text_holds(const struct index *index, uint64_t address, uint64_t size);

/* The site at a pc (a point rather than a call if both are there), or NULL. */
const struct site *site_at(const struct index *index, uint64_t pc);
/* The call site whose call returns to a pc, or NULL. */
const struct site *call_site_at(const struct index *index, uint64_t pc);
/* A place where a thread may be stopped. */
bool may_stop_at(const struct index *index, uint64_t pc);
const struct special *special_at(const struct index *index, uint64_t pc);

/* Name of the function that holds a pc, and the distance from its start (from its resume entry: *resume); "" if unknown. */
const char *function_at(const struct index *index, uint64_t pc, long *offset, bool *resume);

#endif
