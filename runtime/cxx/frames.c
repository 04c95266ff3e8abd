/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See frames.h. */
#include "frames.h"
#include <string.h>

enum { X86_64 = 62, DEPTH = 8 };
enum rule { SAME, AT_CFA, UNDEFINED, IN_REGISTER };

struct cie {
	const uint8_t *program, *end;
	uint64_t code_align, return_register;
	int64_t data_align;
	uint8_t lsda_encoding, pointer_encoding;
	int augmented;
	uintptr_t personality;
};

extern hidden const uint8_t __transproc_eh_frame_hdr[];
hidden int __transproc_isa(void);

struct isa __transproc_this_isa(void)
{
	return __transproc_isa() == X86_64 ? (struct isa){ 16, 7, 3 } : (struct isa){ 30, 31, 19 };
}

/* ---- encoded numbers (LSB Core 5.0, 10.5) ------------------------------------------------------------------------ */

static uint64_t uleb(const uint8_t **p)
{
	uint64_t value = 0;
	for (int shift = 0;; shift += 7) {
		uint8_t byte = *(*p)++;
		if (shift < 64) value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) return value;
	}
}

static int64_t sleb(const uint8_t **p)
{
	uint64_t value = 0;
	for (int shift = 0;;) {
		uint8_t byte = *(*p)++;
		if (shift < 64) value |= (uint64_t)(byte & 127) << shift;
		shift += 7;
		if (byte < 128) return shift < 64 && byte & 64 ? (int64_t)(value | -1UL << shift) : (int64_t)value;
	}
}

static uint64_t number(const uint8_t **p, int size)
{
	uint64_t value = 0;
	memcpy(&value, *p, size);
	*p += size;
	return value;
}

static uint64_t encoded(const uint8_t **p, uint8_t encoding)
{
	const uint8_t *start = *p;
	uint64_t value;
	if (encoding == 0xff) return 0;
	switch (encoding & 15) {
	case 1: value = uleb(p); break;
	case 2: value = number(p, 2); break;
	case 3: value = number(p, 4); break;
	case 9: value = sleb(p); break;
	case 10: value = (int16_t)number(p, 2); break;
	case 11: value = (int32_t)number(p, 4); break;
	default: value = number(p, 8);
	}
	if (!value) return 0;
	if ((encoding & 0x70) == 0x10) value += (uintptr_t)start;
	if (encoding & 0x80) value = *(const uint64_t *)value;
	return value;
}

/* ---- call-frame information -------------------------------------------------------------------------------------- */

static void read_cie(const uint8_t *p, struct cie *c)
{
	uint32_t length = number(&p, 4);
	c->end = p + length;
	p += 4; /* 0: not an FDE */
	uint8_t version = *p++;
	const char *augmentation = (const char *)p;
	p += strlen(augmentation) + 1;
	c->code_align = uleb(&p);
	c->data_align = sleb(&p);
	c->return_register = version == 1 ? *p++ : uleb(&p);
	c->lsda_encoding = 0xff;
	c->pointer_encoding = 0;
	c->personality = 0;
	c->augmented = *augmentation == 'z';
	c->program = p;
	if (!c->augmented) return;
	uint64_t size = uleb(&p);
	c->program = p + size;
	for (const char *a = augmentation + 1; *a; a++)
		if (*a == 'P') {
			uint8_t encoding = *p++;
			c->personality = encoded(&p, encoding);
		} else if (*a == 'L') c->lsda_encoding = *p++;
		else if (*a == 'R') c->pointer_encoding = *p++;
		else break;
}

/* The entry for an address, by the linker's sorted table; 0: none. */
static const uint8_t *find_fde(uint64_t pc)
{
	const uint8_t *header = __transproc_eh_frame_hdr, *p = header + 8;
	if (header[0] != 1 || header[2] != 3 || header[3] != 0x3b) return 0;
	uint32_t count = number(&p, 4), low = 0, high = count;
	const int32_t *table = (const int32_t *)p; /* start, entry; from the header */
	int64_t wanted = (int64_t)(pc - (uintptr_t)header);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (table[2 * middle] <= wanted) low = middle + 1;
		else high = middle;
	}
	return low ? header + table[2 * (low - 1) + 1] : 0;
}

/* Runs a program up to an address; 0: it has an instruction that we do not know. */
static int run(const uint8_t *p, const uint8_t *end, const struct cie *c, uint64_t at, uint64_t pc, struct row *row, const struct row *initial)
{
	struct row kept[DEPTH];
	int depth = 0;
	while (p < end) {
		uint8_t op = *p++, low = op & 63;
		uint64_t reg = low, offset = 0;
		switch (op & 0xc0) {
		case 0x40: at += low * c->code_align; goto advanced;
		case 0x80: offset = uleb(&p) * c->data_align; goto at_cfa;
		case 0xc0: goto restore;
		}
		switch (op) {
		case 0: case 0x2d: continue; /* nop; aarch64: return addresses are not signed */
		case 0x02: at += number(&p, 1) * c->code_align; goto advanced;
		case 0x03: at += number(&p, 2) * c->code_align; goto advanced;
		case 0x04: at += number(&p, 4) * c->code_align; goto advanced;
		case 0x05: reg = uleb(&p); offset = uleb(&p) * c->data_align; goto at_cfa;
		case 0x06: reg = uleb(&p); goto restore;
		case 0x07: reg = uleb(&p); if (reg < REGISTERS) row->rule[reg] = UNDEFINED; continue;
		case 0x08: reg = uleb(&p); if (reg < REGISTERS) row->rule[reg] = SAME; continue;
		case 0x09:
			reg = uleb(&p);
			offset = uleb(&p);
			if (reg < REGISTERS) row->rule[reg] = IN_REGISTER, row->value[reg] = offset;
			continue;
		case 0x0a: if (depth == DEPTH) return 0; kept[depth++] = *row; continue;
		case 0x0b: if (!depth) return 0; *row = kept[--depth]; continue;
		case 0x0c: row->cfa_register = uleb(&p); row->cfa_offset = uleb(&p); continue;
		case 0x0d: row->cfa_register = uleb(&p); continue;
		case 0x0e: row->cfa_offset = uleb(&p); continue;
		case 0x11: reg = uleb(&p); offset = sleb(&p) * c->data_align; goto at_cfa;
		case 0x12: row->cfa_register = uleb(&p); row->cfa_offset = sleb(&p) * c->data_align; continue;
		case 0x13: row->cfa_offset = sleb(&p) * c->data_align; continue;
		case 0x2e: uleb(&p); continue; /* size of pushed arguments: nothing is pushed */
		default: return 0;
		}
	advanced:
		if (at > pc) return 1;
		continue;
	at_cfa:
		if (reg < REGISTERS) row->rule[reg] = AT_CFA, row->value[reg] = offset;
		continue;
	restore:
		if (reg < REGISTERS) row->rule[reg] = initial->rule[reg], row->value[reg] = initial->value[reg];
	}
	return 1;
}

int __transproc_look_up(struct _Unwind_Context *c, struct row *row)
{
	uint64_t pc = c->pc - 1; /* a call may be the last instruction */
	const uint8_t *p = find_fde(pc);
	if (!p) return 0;
	const uint8_t *end = p + 4;
	end += number(&p, 4);
	struct cie cie;
	const uint8_t *here = p;
	read_cie(here - number(&p, 4), &cie);
	c->start = encoded(&p, cie.pointer_encoding);
	uint64_t size = encoded(&p, cie.pointer_encoding & 15);
	if (pc < c->start || pc - c->start >= size) return 0;
	c->lsda = 0;
	c->personality = cie.personality;
	if (cie.augmented) {
		uint64_t length = uleb(&p);
		const uint8_t *program = p + length;
		c->lsda = encoded(&p, cie.lsda_encoding);
		p = program;
	}
	struct row initial;
	memset(row, 0, sizeof *row);
	initial = *row;
	if (!run(cie.program, cie.end, &cie, 0, -1UL, row, &initial)) return 0;
	initial = *row;
	if (!run(p, end, &cie, c->start, pc, row, &initial) || row->cfa_register >= REGISTERS) return 0;
	c->cfa = c->reg[row->cfa_register] + row->cfa_offset;
	return 1;
}

int __transproc_step(struct _Unwind_Context *c, const struct row *row)
{
	struct isa isa = __transproc_this_isa();
	uint64_t old[REGISTERS];
	memcpy(old, c->reg, sizeof old);
	for (int i = 0; i < REGISTERS; i++)
		if (row->rule[i] == AT_CFA) memcpy(&c->reg[i], (const char *)c->cfa + row->value[i], 8);
		else if (row->rule[i] == IN_REGISTER) c->reg[i] = old[row->value[i]];
	c->reg[isa.stack_pointer] = c->cfa;
	c->pc = row->rule[isa.return_register] == UNDEFINED ? 0 : c->reg[isa.return_register];
	return c->pc != 0;
}
