/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Exceptions: what C++ programs need of an unwinder (Itanium C++ ABI, Exception Handling, level 1), for stacks whose outer frames may be resume
 * records (docs/format.md, section 4, Exceptions).
 *
 * Below the resume loop there are no frames to unwind, but records. Whether one catches, and what its landing pad does, is asked of the code itself: its
 * resume entry, entered with THROWN in the record's site, calls __transproc_raise where the frame's call was, or returns if that call has
 * no landing pad. To ask, that frame's personality routine is called, and the frame given up; to unwind, the exception is raised from there anew.
 *
 * All of it is compiled without sites: the stack does not change meanwhile. It reads .eh_frame, of this ISA, by DWARF 5, section 6.4, as LLVM
 * writes it, and the Linux Standard Base's additions to that (LSB Core 5.0, 10.6). */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unwind.h>
#include <transproc/args.h>
#include <transproc/record.h>

#define hidden __attribute__((__visibility__("hidden")))
#define THROWN 1 /* in a record's site */
#define IN_RECORD 1 /* in private_2, in place of a frame's CFA: with it the address of the record that catches */

enum { X86_64 = 62, REGISTERS = 80, DEPTH = 8 };
enum rule { SAME, AT_CFA, UNDEFINED, IN_REGISTER };

struct _Unwind_Context { /* the assembly knows it */
	uint64_t reg[REGISTERS];   /* by DWARF number: those that callees keep, and the stack pointer */
	uint64_t pc, argument[2];  /* of the landing pad */
	uint64_t start, lsda, cfa;
	uintptr_t personality;
};
_Static_assert(offsetof(struct _Unwind_Context, pc) == 640, "assembly");
_Static_assert(offsetof(struct _Unwind_Context, argument) == 648, "assembly");

struct row {
	int64_t cfa_offset;
	uint32_t cfa_register;
	uint8_t rule[REGISTERS];
	int32_t value[REGISTERS];
};

struct cie {
	const uint8_t *program, *end;
	uint64_t code_align, return_register;
	int64_t data_align;
	uint8_t lsda_encoding, pointer_encoding;
	int augmented;
	uintptr_t personality;
};

/* Of this ISA: DWARF numbers of the return address, the stack pointer, and the register in which the resume loop keeps its record. */
struct isa {
	uint32_t return_register, stack_pointer, record;
};

typedef _Unwind_Reason_Code personality(int, _Unwind_Action, uint64_t, struct _Unwind_Exception *, struct _Unwind_Context *);

extern hidden const uint8_t __transproc_eh_frame_hdr[];
extern hidden const char __transproc_resume_return[];
hidden int __transproc_isa(void);
hidden void __transproc_end(struct transproc_record *);
hidden _Noreturn void __transproc_enter(struct transproc_record *);
hidden _Noreturn void __transproc_land(const struct _Unwind_Context *);
hidden uint64_t __transproc_ask(struct transproc_record *, struct _Unwind_Context *);
_Noreturn void abort(void);

static struct isa this_isa(void)
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

/* Notes where the frame's function begins, its handlers, and its CFA; and the rules by which its caller's registers are found. */
static int look_up(struct _Unwind_Context *c, struct row *row)
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

/* Goes to the caller's frame; 0: there is none. */
static int step(struct _Unwind_Context *c, const struct row *row)
{
	struct isa isa = this_isa();
	uint64_t old[REGISTERS];
	memcpy(old, c->reg, sizeof old);
	for (int i = 0; i < REGISTERS; i++)
		if (row->rule[i] == AT_CFA) memcpy(&c->reg[i], (const char *)c->cfa + row->value[i], 8);
		else if (row->rule[i] == IN_REGISTER) c->reg[i] = old[row->value[i]];
	c->reg[isa.stack_pointer] = c->cfa;
	c->pc = row->rule[isa.return_register] == UNDEFINED ? 0 : c->reg[isa.return_register];
	return c->pc != 0;
}

static int in_loop(const struct _Unwind_Context *c) { return c->pc == (uintptr_t)__transproc_resume_return; }

static _Unwind_Reason_Code ask(struct _Unwind_Context *c, _Unwind_Action action, struct _Unwind_Exception *e)
{
	if (!c->personality) return _URC_CONTINUE_UNWIND;
	return ((personality *)c->personality)(1, action, e->exception_class, e, c);
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

enum { PASSES, HAS_PAD, CATCHES };

/* What a record's frame does with the exception. */
static uint64_t ask_record(struct transproc_record *r, struct _Unwind_Exception *e)
{
	struct _Unwind_Context here;
	uint64_t site = r->site, result[2] = { r->result[0], r->result[1] };
	r->site |= THROWN;
	r->result[0] = (uintptr_t)e;
	r->result[1] = (uintptr_t)&here;
	uint64_t answer = __transproc_ask(r, &here);
	r->site = site;
	r->result[0] = result[0];
	r->result[1] = result[1];
	return answer;
}

/* The next record, from r outwards, that does at least `what`; 0: none. */
static struct transproc_record *find_record(struct transproc_record *r, struct _Unwind_Exception *e, uint64_t what)
{
	for (; r && r->enter != __transproc_end; r = r->outer)
		if (ask_record(r, e) >= what) return r;
	return 0;
}

static struct transproc_record *outer_of_loop(const struct _Unwind_Context *c)
{
	return ((struct transproc_record *)c->reg[this_isa().record])->outer;
}

/* ---- the two phases ---------------------------------------------------------------------------------------------- */

static _Unwind_Reason_Code search(struct _Unwind_Context c, struct _Unwind_Exception *e)
{
	struct row row;
	e->private_1 = __transproc_args.moves;
	for (;;) {
		if (in_loop(&c)) {
			struct transproc_record *r = find_record(outer_of_loop(&c), e, CATCHES);
			e->private_2 = (uintptr_t)r | IN_RECORD;
			return r ? _URC_NO_REASON : _URC_END_OF_STACK;
		}
		if (!look_up(&c, &row)) return _URC_END_OF_STACK;
		_Unwind_Reason_Code answer = ask(&c, _UA_SEARCH_PHASE, e);
		if (answer == _URC_HANDLER_FOUND) {
			e->private_2 = c.cfa;
			return _URC_NO_REASON;
		}
		if (answer != _URC_CONTINUE_UNWIND) return _URC_FATAL_PHASE1_ERROR;
		if (!step(&c, &row)) return _URC_END_OF_STACK;
	}
}

static _Noreturn void unwind(struct _Unwind_Context *c, struct _Unwind_Exception *e)
{
	struct row row;
	for (;;) {
		if (in_loop(c)) {
			struct transproc_record *r = find_record(outer_of_loop(c), e, HAS_PAD);
			if (!r) abort();
			r->site |= THROWN;
			r->result[0] = (uintptr_t)e;
			r->result[1] = 0;
			__transproc_enter(r);
		}
		if (!look_up(c, &row)) abort();
		_Unwind_Action action = _UA_CLEANUP_PHASE | (c->cfa == e->private_2 ? _UA_HANDLER_FRAME : 0);
		if (ask(c, action, e) == _URC_INSTALL_CONTEXT) __transproc_land(c);
		if (action & _UA_HANDLER_FRAME || !step(c, &row)) abort();
	}
}

/* ---- entries; the assembly has filled the context with the caller's registers -------------------------------------- */

hidden _Unwind_Reason_Code __transproc_raise_exception(struct _Unwind_Exception *e, struct _Unwind_Context *c)
{
	_Unwind_Reason_Code found = search(*c, e);
	if (found == _URC_NO_REASON) unwind(c, e);
	return found;
}

/* Behind a cleanup. If the process has been moved in it, what the search has found means nothing any more. */
hidden _Noreturn void __transproc_unwind_resume(struct _Unwind_Exception *e, struct _Unwind_Context *c)
{
	if (e->private_1 != __transproc_args.moves && search(*c, e) != _URC_NO_REASON) abort();
	unwind(c, e);
}

/* From a resume entry, where the call was that has thrown. */
hidden _Noreturn void __transproc_raise_again(struct transproc_record *r, struct _Unwind_Context *c)
{
	struct _Unwind_Exception *e = (struct _Unwind_Exception *)r->result[0];
	struct _Unwind_Context *asking = (struct _Unwind_Context *)r->result[1];
	if (asking) {
		struct row row;
		_Unwind_Reason_Code answer = look_up(c, &row) ? ask(c, _UA_SEARCH_PHASE, e) : _URC_CONTINUE_UNWIND;
		asking->argument[0] = answer == _URC_HANDLER_FOUND ? CATCHES : HAS_PAD;
		__transproc_land(asking);
	}
	/* Only the frame that catches has to know it: looking for the handler from each would take the square of their number. */
	int passes = e->private_1 == __transproc_args.moves && e->private_2 & IN_RECORD && e->private_2 != ((uintptr_t)r | IN_RECORD);
	if (!passes && search(*c, e) != _URC_NO_REASON) abort();
	unwind(c, e);
}

/* ---- what personality routines ask and say --------------------------------------------------------------------------- */

uintptr_t _Unwind_GetIP(struct _Unwind_Context *c) { return c->pc; }
void _Unwind_SetIP(struct _Unwind_Context *c, uintptr_t pc) { c->pc = pc; }
void *_Unwind_GetLanguageSpecificData(struct _Unwind_Context *c) { return (void *)c->lsda; }
uintptr_t _Unwind_GetRegionStart(struct _Unwind_Context *c) { return c->start; }
uintptr_t _Unwind_GetCFA(struct _Unwind_Context *c) { return c->cfa; }
uintptr_t _Unwind_GetGR(struct _Unwind_Context *c, int i) { return i >= 0 && i < REGISTERS ? c->reg[i] : 0; }
uintptr_t _Unwind_GetDataRelBase(struct _Unwind_Context *c) { return 0; }
uintptr_t _Unwind_GetTextRelBase(struct _Unwind_Context *c) { return 0; }

uintptr_t _Unwind_GetIPInfo(struct _Unwind_Context *c, int *before)
{
	*before = 0;
	return c->pc;
}

/* The registers of landing pads have the numbers of the neutral front end (4, 5) in code of ours, 0 and 1 in the compiler's own for an ISA. */
void _Unwind_SetGR(struct _Unwind_Context *c, int i, uintptr_t value) { c->argument[i & 1] = value; }
