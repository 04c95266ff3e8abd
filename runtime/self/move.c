/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From a stopped thread's frames to resume records, as transproc/transform makes them (frames.py, records.py). */
#include "self.h"

#include "transproc/record.h"

enum { PROT_RW = 3, MAP_FLAGS = 0x4022 /* private, anonymous, no reserve */, PAGE = 4096 };
enum { REGISTER = 1, DIRECT, INDIRECT, CONSTANT, CONSTANT_INDEX };
enum { MAX_THREADS = 1024, ALIGNMENT = TRANSPROC_RECORD_ALIGNMENT, POISON = 0xdb, DYNAMIC = 1, JUMPS = 2, RECORDS = 7, MIGRATIONS = 2, MOVES = 3, MAX_OBJECTS = 512 };
static const uint64_t half_size = 64 << 20;

/* struct transproc_record with addresses as numbers. */
struct record {
	uint64_t enter;
	struct record *outer;
	uint64_t site;
	uint64_t *objects;
	uint64_t result[4];
	uint64_t base, size, slots[];
};
#define SAME(field) _Static_assert(offsetof(struct record, field) == offsetof(struct transproc_record, field), "record.h")
SAME(enter);
SAME(outer);
SAME(site);
SAME(objects);
SAME(result);
SAME(base);
SAME(size);
SAME(slots);

/* The walk's state: registers of the frame that is looked at. */
struct machine {
	uint64_t pc, registers[DWARF_REGISTERS];
	uint8_t vectors[VECTORS][16];
};

/* A frame between its reading and the moment when everything outside it is known. */
struct pending {
	struct record *record;
	const struct function *function;
	uint64_t sp, cfa, dynamic; /* lowest dynamic address, or ~0 */
	bool resumed, bare;
};

/* Records of a thread, in two halves: a migration writes to one what it reads from the other. */
struct store {
	long tid;
	char *half[2];
	int used;
};

static struct store stores[MAX_THREADS];
static char *next_record, *first_pending; /* records grow upwards, pending frames downwards */

/* The program counts the migrations of all threads as one (docs/format.md, section 4, Jumps), and here each thread is migrated alone; so
 * only the main thread's frames with setjmp are. */
static bool in_main_thread(void) { return SYS(NR_gettid) == SYS(NR_getpid); }

/* What is read of __transproc_args: by longjmp the migrations, and where the main thread's records are; by all else, and the unwinder of
 * C++, the moves, of whatever thread. */
static void note_move(const char *half)
{
	uint64_t *words = (uint64_t *)program_index->args + RECORDS;
	if (in_main_thread()) {
		words[0] = (uint64_t)half;
		words[1] = (uint64_t)next_record;
		words[MIGRATIONS]++;
	}
	words[MOVES] += (uint64_t)1 << 32; /* the lower half is in the device numbers of files without the attribute (transproc/identity.h) */
}

static bool prepare_store(struct store **found)
{
	long tid = SYS(NR_gettid);
	for (int i = 0; i < MAX_THREADS; i++) {
		struct store *s = &stores[i];
		if (s->tid && s->tid != tid)
			continue;
		if (!s->tid)
			for (int k = 0; k < 2; k++) {
				long got = SYS(NR_mmap, 0, half_size, PROT_RW, MAP_FLAGS, -1, 0);
				if (got < 0 && got > -PAGE)
					return false;
				s->half[k] = (char *)got;
			}
		s->tid = tid;
		*found = s;
		next_record = s->half[!s->used];
		first_pending = next_record + half_size;
		return true;
	}
	return false;
}

static struct record *new_record(uint64_t size)
{
	char *at = next_record;
	if (size > half_size || at + size + ALIGNMENT + sizeof(struct pending) > first_pending)
		return NULL;
	next_record += (size + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
	return (struct record *)at;
}

static void read_value(const struct machine *m, const struct location *l, uint8_t out[16])
{
	uint64_t value = 0;
	memset(out, 0, 16);
	bool general = l->reg < DWARF_REGISTERS;
	if (l->kind == REGISTER && !general) {
		memcpy(out, m->vectors[(l->reg - VECTOR_FIRST) % VECTORS], 16);
		return;
	}
	if (l->kind == REGISTER)
		value = m->registers[l->reg] >> l->offset;
	else if (l->kind == CONSTANT)
		value = (uint64_t)(int64_t)l->offset;
	else if (l->kind == CONSTANT_INDEX)
		value = program_index->constants[l->offset];
	else
		value = m->registers[general ? l->reg : DWARF_SP] + (uint64_t)(int64_t)l->offset;
	if (l->kind == INDIRECT)
		memcpy(out, (const void *)value, l->size);
	else
		memcpy(out, &value, sizeof value);
}

/* The pending call's result, as the type lies in memory (docs/format.md, section 3). */
static void read_result(const struct machine *m, uint32_t descriptor, uint8_t *out)
{
	unsigned used[4] = { 0 }, at = 0;
	for (; descriptor & 3; descriptor >>= 8) {
		unsigned kind = descriptor & 3, size = 1u << (descriptor >> 2 & 7), n = used[kind]++;
		at = (at + size - 1) & -size;
		if (kind == 1) {
			uint64_t value = m->registers[integer_results[n & 1]];
			value = descriptor & 32 ? value & 1 : value;
			memcpy(out + at, &value, size);
		} else {
			memcpy(out + at, m->vectors[n], size);
		}
		at += size;
	}
}

static bool step_out(struct machine *m, uint32_t row, uint64_t *cfa)
{
	const struct row *rule = &program_index->rows[row];
	const struct saved *saved = program_index->saved + rule->saved;
	*cfa = m->registers[rule->cfa_register] + (uint64_t)(int64_t)rule->cfa_offset;
	if (*cfa < m->registers[DWARF_SP])
		return false;
	for (int i = 0; i < rule->saved_count; i++) {
		const void *place = (const void *)(*cfa + (uint64_t)(int64_t)saved[i].offset);
		if (saved[i].reg < DWARF_REGISTERS)
			memcpy(&m->registers[saved[i].reg], place, 8);
		else
			memcpy(m->vectors[(saved[i].reg - VECTOR_FIRST) % VECTORS], place, 8);
	}
	m->registers[DWARF_SP] = *cfa;
	if (RETURN_REGISTER >= 0)
		m->pc = m->registers[RETURN_REGISTER < 0 ? 0 : RETURN_REGISTER];
	else
		memcpy(&m->pc, (const void *)(*cfa + (uint64_t)(int64_t)RETURN_OFFSET), 8);
	return true;
}

/* Reads one frame into a record, and steps to its caller's. */
static struct pending *read_frame(struct machine *m, const struct site *site, bool innermost)
{
	const struct function *f = &program_index->functions[site->function];
	uint64_t wide_at = (8ul * site->narrow + 15) & ~15ul, slots = site->wide ? wide_at + 16ul * site->wide : 8ul * site->narrow;
	struct record *r = new_record(sizeof *r + slots + 8ul * f->objects);
	if (!r || (f->flags & JUMPS && !in_main_thread()))
		return NULL;
	struct pending *p = (struct pending *)(first_pending -= sizeof *p);
	memset(r, 0, sizeof *r);
	*p = (struct pending){ .record = r, .function = f, .sp = m->registers[DWARF_SP], .dynamic = ~0ul };
	p->resumed = site->flags & SITE_IN_RESUME;
	r->enter = f->resume;
	r->site = f->hash << 24 | site->id;
	r->size = sizeof *r + slots + 8ul * f->objects;
	r->objects = f->objects ? (uint64_t *)((char *)r->slots + slots) : NULL;
	const struct location *l = program_index->locations + site->location;
	for (unsigned i = 0; i < site->narrow + (unsigned)site->wide; i++) {
		uint8_t value[16];
		read_value(m, &l[i], value);
		if (i < site->narrow)
			memcpy(&r->slots[i], value, 8);
		else
			memcpy((char *)r->slots + wide_at + 16ul * (i - site->narrow), value, 16);
	}
	if (f->flags & DYNAMIC)
		p->dynamic = r->slots[0];
	if (innermost && !(site->id & SITE_POINT))
		read_result(m, site->result, (uint8_t *)r->result);
	const struct object *o = program_index->objects + f->object;
	for (int i = 0; i < f->objects && !p->resumed; i++)
		r->objects[i] = m->registers[o[i].reg] + (uint64_t)(int64_t)o[i].offset;
	if (!step_out(m, site->row, &p->cfa))
		return NULL;
	p->bare = innermost && p->cfa - p->sp == RETURN_BYTES && !p->resumed;
	report->values += site->narrow + site->wide;
	return p;
}

/* Records outside the current one: moved as they are. */
static struct record *copy_outer(const struct record *from)
{
	struct record *first = NULL, **link = &first;
	for (; from; from = from->outer) {
		struct record *to = new_record(from->size);
		if (!to)
			return NULL;
		memcpy(to, from, from->size);
		if (from->objects)
			to->objects = (uint64_t *)((char *)to + ((char *)from->objects - (char *)from));
		*link = to;
		link = &to->outer;
	}
	return first;
}

static struct record *new_sentinel(uint64_t bottom)
{
	struct record *r = new_record(sizeof *r);
	if (r) {
		memset(r, 0, sizeof *r);
		*r = (struct record){ .enter = program_index->end, .base = bottom & -(uint64_t)ALIGNMENT, .size = sizeof *r };
	}
	return r;
}

static void place_objects(struct pending *p, uint64_t at)
{
	const struct object *o = program_index->objects + p->function->object;
	for (int i = 0; i < p->function->objects; i++) {
		uint64_t alignment = o[i].alignment ? o[i].alignment : 1;
		at = (at - o[i].size) & -alignment;
		p->record->objects[i] = at;
	}
}

enum { MAX_KEPT = 2 * MAX_OBJECTS };

struct kept {
	uint64_t low, high;
};

/* Adds a frame's objects to the ordered ranges that are to be kept. */
static int keep_objects(struct kept *kept, int count, const struct pending *p)
{
	const struct object *o = program_index->objects + p->function->object;
	for (int i = 0; i < p->function->objects && !p->resumed && !p->bare; i++) {
		int k = count++;
		for (; k && kept[k - 1].low > p->record->objects[i]; k--)
			kept[k] = kept[k - 1];
		kept[k].low = p->record->objects[i];
		kept[k].high = kept[k].low + o[i].size;
	}
	return count;
}

/*
 * Overwrites what the frame does not own any more. An object of its callee may lie in it: an argument that was passed on the stack, and
 * is kept where it came.
 */
static void poison(const struct pending *p, const struct pending *callee)
{
	static struct kept kept[MAX_KEPT];
	if (p->function->objects > MAX_OBJECTS || (callee && callee->function->objects > MAX_OBJECTS))
		return;
	int count = keep_objects(kept, 0, p);
	if (callee)
		count = keep_objects(kept, count, callee);
	uint64_t at = p->sp, end = p->dynamic >= p->sp && p->dynamic < p->cfa ? p->dynamic : p->cfa;
	for (int i = 0; i < count && at < end; i++) {
		uint64_t low = kept[i].low < end ? kept[i].low : end;
		if (low > at)
			memset((void *)at, POISON, low - at);
		if (kept[i].high > at)
			at = kept[i].high;
	}
	if (at < end)
		memset((void *)at, POISON, end - at);
}

/* From the outermost frame inwards: where each may begin. Objects of a resumed frame are those of the record it ran on. */
static void settle(struct pending *first, struct pending *last, struct record *outer, const struct record *current)
{
	uint64_t base = outer->base;
	for (struct pending *p = last; p <= first; p++) { /* pending frames grow downwards: last is the outermost */
		struct record *r = p->record;
		if (p->resumed && p->function->objects)
			memcpy(r->objects, current->objects, 8ul * p->function->objects);
		if (p->bare)
			place_objects(p, base);
		for (int i = 0; i < p->function->objects; i++)
			base = r->objects[i] < base ? r->objects[i] : base;
		base = (p->dynamic < base ? p->dynamic : base) & -(uint64_t)ALIGNMENT;
		r->base = base;
		r->outer = outer;
		outer = r;
		poison(p, p < first ? p + 1 : NULL);
	}
}

static bool refuse(uint64_t pc)
{
	report->refused++;
	report->culprit = pc;
	return false;
}

/* Only the record register and the loop's address matter: everything else is made unusable. */
static void start_loop(struct context *stopped, const struct record *innermost)
{
	uint64_t registers[DWARF_REGISTERS];
	memset(registers, POISON, sizeof registers);
	registers[DWARF_SP] = innermost->base;
	registers[RECORD_REGISTER] = (uint64_t)innermost;
	write_context(stopped, registers);
	set_context_pc(stopped, program_index->loop);
	memset(context_vectors(stopped), POISON, VECTORS * 16);
}

bool move_thread(struct context *stopped, const struct site *site)
{
	static struct machine m; /* the caller holds the lock */
	struct store *store;
	if (!prepare_store(&store))
		return refuse(site->pc);
	m.pc = site->pc;
	read_context(stopped, m.registers);
	memcpy(m.vectors, context_vectors(stopped), sizeof m.vectors);
	struct pending *first = read_frame(&m, site, true), *last = first;
	const struct special *special;
	uint64_t frames = 1;
	while (last && !(special = special_at(program_index, m.pc))) {
		site = call_site_at(program_index, m.pc);
		if (!site || (last->resumed))
			return refuse(m.pc);
		last = read_frame(&m, site, false);
		frames++;
	}
	if (!last || special->kind < SPECIAL_MAIN_BOTTOM || special->kind > SPECIAL_LOOP)
		return refuse(m.pc);
	const struct record *current = special->kind == SPECIAL_LOOP ? (const struct record *)m.registers[RECORD_REGISTER] : NULL;
	if (last->resumed && (!current || current->enter != last->function->resume))
		return refuse(m.pc);
	struct record *outer = current ? copy_outer(current->outer) : new_sentinel(last->cfa);
	if (!outer)
		return refuse(m.pc);
	settle(first, last, outer, current);
	start_loop(stopped, first->record);
	store->used = !store->used;
	note_move(store->half[store->used]);
	report->recent[report->migrations % RECENT] = first->function->address;
	report->migrations++;
	report->frames += frames;
	return true;
}
