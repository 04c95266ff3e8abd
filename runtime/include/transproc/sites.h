/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The site index (docs/format.md, section 6): section `.transproc.sites` of each binary of a pair. */
#ifndef TRANSPROC_SITES_H
#define TRANSPROC_SITES_H

#include <stddef.h>
#include <stdint.h>

#define TRANSPROC_SITES_MAGIC "TPSITES4"
#define TRANSPROC_SITES_SECTION ".transproc.sites"

enum transproc_table {
	TRANSPROC_FUNCTIONS,
	TRANSPROC_SITES,
	TRANSPROC_LOCATIONS,
	TRANSPROC_CONSTANTS,
	TRANSPROC_ROWS,
	TRANSPROC_SAVED,
	TRANSPROC_OBJECTS,
	TRANSPROC_SPECIALS,
	TRANSPROC_STRINGS,
	TRANSPROC_LINES,
	TRANSPROC_NAMES,
	TRANSPROC_RESERVED,
	TRANSPROC_TABLES
};

struct transproc_header {
	char magic[8];
	uint32_t machine; /* ELF e_machine */
	uint32_t flags;
	uint8_t build_id[20]; /* of this binary */
	uint8_t mate[20];     /* of the pair's other binary */
	uint64_t text_start, text_end;
	struct {
		uint32_t offset, count;
	} table[TRANSPROC_TABLES];
	uint64_t loop, syscall_resume, end, tp_offset; /* addresses of the runtime's symbols */
};

enum { TRANSPROC_FUNCTION_DYNAMIC = 1, TRANSPROC_FUNCTION_JUMPS = 2 };

struct transproc_function {
	uint64_t address, resume;
	uint32_t size;
	uint32_t name;    /* string */
	uint32_t object;  /* first row of the objects table */
	uint16_t objects; /* how many */
	uint16_t flags;
	uint64_t hash;
};

enum { TRANSPROC_SITE_IN_RESUME = 1, TRANSPROC_SITE_NO_STOP = 2 };

struct transproc_site {
	uint64_t pc;
	uint32_t function;
	uint32_t id; /* low 24 bits of the stack map id; bit 0: 0 call, 1 point */
	uint32_t location;
	uint16_t narrow, wide;
	uint32_t row;
	uint32_t result; /* descriptor, docs/format.md section 3 */
	uint32_t size;
	uint32_t flags;
};

enum transproc_location_kind {
	TRANSPROC_REGISTER = 1,
	TRANSPROC_DIRECT,
	TRANSPROC_INDIRECT,
	TRANSPROC_CONSTANT,
	TRANSPROC_CONSTANT_INDEX
};

struct transproc_location {
	uint8_t kind, size;
	uint16_t reg; /* DWARF number */
	int32_t offset;
};

struct transproc_row {
	uint16_t cfa_reg, saved_count;
	int32_t cfa_offset;
	uint32_t saved;
	uint32_t pad;
};

struct transproc_saved {
	uint16_t reg, pad;
	int32_t offset; /* from the CFA */
};

struct transproc_object {
	uint16_t reg, pad;
	int32_t offset;
	uint32_t size, alignment;
};

enum transproc_special_kind {
	TRANSPROC_TRAP = 1,
	TRANSPROC_DONE,
	TRANSPROC_START_BOTTOM,
	TRANSPROC_THREAD_BOTTOM,
	TRANSPROC_LOOP_RETURN,
	TRANSPROC_SYSCALL_RETURN,
	TRANSPROC_POLL
};

struct transproc_special {
	uint64_t pc;
	uint32_t kind, row;
};

struct transproc_line {
	uint32_t file, line; /* file: string; 0: unknown */
};

struct transproc_name {
	uint32_t name, type; /* strings; 0: unknown */
};

_Static_assert(sizeof(struct transproc_header) == 200, "file format");
_Static_assert(offsetof(struct transproc_header, build_id) == 16, "file format");
_Static_assert(offsetof(struct transproc_header, mate) == 36, "file format");
_Static_assert(offsetof(struct transproc_header, text_start) == 56, "file format");
_Static_assert(offsetof(struct transproc_header, table) == 72, "file format");
_Static_assert(sizeof(struct transproc_function) == 40, "file format");
_Static_assert(sizeof(struct transproc_site) == 40, "file format");
_Static_assert(sizeof(struct transproc_location) == 8, "file format");
_Static_assert(sizeof(struct transproc_row) == 16, "file format");
_Static_assert(sizeof(struct transproc_saved) == 8, "file format");
_Static_assert(sizeof(struct transproc_object) == 16, "file format");
_Static_assert(sizeof(struct transproc_special) == 16, "file format");
_Static_assert(sizeof(struct transproc_line) == 8, "file format");
_Static_assert(sizeof(struct transproc_name) == 8, "file format");

#endif
