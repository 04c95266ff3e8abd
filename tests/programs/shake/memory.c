/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Memory: of each page it is known what it is, what may be done with it, and a sum over its words. */
#include "shake.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { BLOCKS = 24, LARGEST_BLOCK = 300000, OBJECTS = 12, OBJECT_PAGES = 64, LONGEST = 96 };
enum kind { NONE = 1, PRIVATE = 2, OBJECT = 4, UNCOPIED = 8 /* privately mapped of an object, and not written to yet */, COPIED = 16, FOREIGN = 32 };
enum { ANY = PRIVATE | OBJECT | UNCOPIED | COPIED };


#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* Memory that may be mapped at several places, or a file. `fd` -1: shared and anonymous, and only mapped. */
struct object {
	int fd;
	bool used, is_file;
	size_t size; /* pages: behind them nothing may be touched */
	uint64_t sums[OBJECT_PAGES];
};

struct page {
	uint64_t sum; /* of one that is private */
	unsigned char kind, protection;
	bool perhaps; /* may have become zeros (MADV_FREE) */
	bool hidden; /* from children (MADV_DONTFORK) */
	unsigned char object, place; /* of others */
};

struct arena {
	char *base;
	size_t count;
	struct object objects[OBJECTS];
	struct block {
		unsigned char *bytes;
		size_t size;
		unsigned char first;
	} blocks[BLOCKS]; /* of the heap */
	struct page pages[MOST_PAGES];
};

static char *at(struct worker *worker, size_t page)
{
	return worker->arena->base + page * PAGE;
}

static uint64_t weigh(size_t place, uint64_t word)
{
	uint64_t value = (word ^ ((place + 1) * 0x9e3779b97f4a7c15u)) * 0xd6e8feb86659fd93u;
	return word ? value ^ value >> 31 : 0;
}

static uint64_t sum_of(const char *page)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < WORDS; i++)
		sum += weigh(i, ((const volatile uint64_t *)page)[i]);
	return sum;
}

static uint64_t *sum_at(struct worker *worker, size_t page)
{
	struct arena *arena = worker->arena;
	struct page *one = &arena->pages[page];
	return one->kind & (OBJECT | UNCOPIED) ? &arena->objects[one->object].sums[one->place] : &one->sum;
}

/* Whether a page lies behind the end of its file. */
static bool is_beyond(struct worker *worker, size_t page)
{
	const struct page *one = &worker->arena->pages[page];
	return (one->kind & (OBJECT | UNCOPIED | COPIED)) && one->place >= worker->arena->objects[one->object].size;
}

/* A run of pages that are all one of these kinds; none: 0. Those of an object may have to follow one another there. */
static size_t pick(struct worker *worker, int kinds, size_t most, size_t *first)
{
	struct arena *arena = worker->arena;
	size_t begin = below(worker, arena->count), length = 1 + below(worker, most), count = 0, i;
	for (i = 0; i < arena->count && !(arena->pages[(begin + i) % arena->count].kind & kinds); i++)
		;
	if (i == arena->count)
		return 0;
	*first = (begin + i) % arena->count;
	while (count < length && *first + count < arena->count && (arena->pages[*first + count].kind & kinds))
		count++;
	return count;
}

static void set(struct worker *worker, size_t first, size_t count, struct page like)
{
	for (size_t i = 0; i < count; i++, like.place++)
		worker->arena->pages[first + i] = like;
}

/* About to be written to: what was mapped of an object becomes private. */
static bool is_writable(struct worker *worker, size_t page)
{
	const struct page *one = &worker->arena->pages[page];
	return (one->kind & ANY) && one->protection == (PROT_READ | PROT_WRITE) && !is_beyond(worker, page);
}

static void own(struct worker *worker, size_t page)
{
	struct page *one = &worker->arena->pages[page];
	if (one->kind == UNCOPIED) {
		one->sum = *sum_at(worker, page);
		one->kind = COPIED;
	}
	one->perhaps = false;
}

static void fill(struct worker *worker, size_t page)
{
	uint64_t state = next(worker), sum = 0;
	volatile uint64_t *words = (volatile uint64_t *)at(worker, page);
	own(worker, page);
	for (size_t i = 0; i < WORDS; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		words[i] = state;
		sum += weigh(i, state);
	}
	*sum_at(worker, page) = sum;
}

static void check_page(struct worker *worker, size_t page)
{
	const struct page *one = &worker->arena->pages[page];
	if (!(one->kind & ANY) || is_beyond(worker, page))
		return;
	bool hidden = !(one->protection & PROT_READ);
	if (hidden)
		MUST(worker, mprotect(at(worker, page), PAGE, PROT_READ) == 0);
	uint64_t sum = sum_of(at(worker, page)), expected = *sum_at(worker, page);
	if (sum != expected && !(one->perhaps && sum == 0)) {
		static char text[200];
		snprintf(text, sizeof text, "page %zu at %p of kind %d, object %d place %d, protection %d%s", page, (void *)at(worker, page), one->kind, one->object, one->place, one->protection,
			sum ? "" : ", is zero");
		wrong(worker, text, sum, expected);
	}
	if (hidden)
		MUST(worker, mprotect(at(worker, page), PAGE, one->protection) == 0);
}

/* --- anonymous memory ---------------------------------------------------------------------------------------------- */

static void map_some(struct worker *worker)
{
	size_t first, count = pick(worker, NONE, one_in(worker, 4) ? 8 * LONGEST : LONGEST, &first);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | (one_in(worker, 2) ? MAP_NORESERVE : 0) | (one_in(worker, 8) ? MAP_POPULATE : 0);
	if (!count)
		return;
	MUST(worker, mmap(at(worker, first), count * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) == at(worker, first));
	set(worker, first, count, (struct page){ .kind = PRIVATE, .protection = PROT_READ | PROT_WRITE });
	for (size_t i = 0, some = below(worker, count); i < some; i++)
		fill(worker, first + i);
}

static void unmap_some(struct worker *worker)
{
	size_t first, count = pick(worker, ANY | FOREIGN, LONGEST, &first);
	if (count)
		MUST(worker, munmap(at(worker, first), count * PAGE) == 0);
	set(worker, first, count, (struct page){ .kind = NONE });
}

static void fill_some(struct worker *worker)
{
	size_t first, count = pick(worker, ANY, LONGEST, &first);
	for (size_t i = 0; i < count; i++)
		if (is_writable(worker, first + i))
			fill(worker, first + i);
}

/* Single words, all over the place. */
static void poke_some(struct worker *worker)
{
	for (size_t n = below(worker, 200); n; n--) {
		size_t page = below(worker, worker->arena->count), word = below(worker, WORDS);
		uint64_t value = one_in(worker, 5) ? 0 : next(worker);
		if (!is_writable(worker, page) || worker->arena->pages[page].perhaps)
			continue;
		own(worker, page);
		volatile uint64_t *words = (volatile uint64_t *)at(worker, page);
		*sum_at(worker, page) += weigh(word, value) - weigh(word, words[word]);
		words[word] = value;
	}
}

static void clear_some(struct worker *worker)
{
	size_t first, count = pick(worker, ANY, LONGEST, &first);
	for (size_t i = first; i < first + count; i++)
		if (is_writable(worker, i)) {
			own(worker, i);
			memset(at(worker, i), 0, PAGE);
			*sum_at(worker, i) = 0;
		}
}

static void copy_some(struct worker *worker)
{
	for (size_t n = below(worker, 16); n; n--) {
		size_t from = below(worker, worker->arena->count), to = below(worker, worker->arena->count);
		if (!is_writable(worker, to) || !is_writable(worker, from) || worker->arena->pages[from].perhaps || from == to)
			continue;
		uint64_t sum = *sum_at(worker, from);
		own(worker, to);
		memcpy(at(worker, to), at(worker, from), PAGE);
		*sum_at(worker, to) = sum;
	}
}

static void check_some(struct worker *worker)
{
	size_t first, count = pick(worker, ANY, 2 * LONGEST, &first);
	for (size_t i = 0; i < count; i++)
		check_page(worker, first + i);
}

static void give_back(struct worker *worker)
{
	size_t first, count = pick(worker, ANY, LONGEST, &first);
	if (!count)
		return;
	MUST(worker, madvise(at(worker, first), count * PAGE, MADV_DONTNEED) == 0);
	for (size_t i = first; i < first + count; i++) {
		struct page *one = &worker->arena->pages[i];
		if (one->kind == COPIED)
			one->kind = UNCOPIED;
		one->sum = 0;
		one->perhaps = false;
	}
}

static void free_some(struct worker *worker)
{
	size_t first, count = pick(worker, PRIVATE, LONGEST, &first);
	if (count && madvise(at(worker, first), count * PAGE, MADV_FREE) == 0)
		for (size_t i = 0; i < count; i++)
			worker->arena->pages[first + i].perhaps = true;
}

static void advise_some(struct worker *worker)
{
	static const int advices[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_SEQUENTIAL, MADV_RANDOM, MADV_NORMAL, MADV_WILLNEED, 20 /* COLD */, 21 /* PAGEOUT */, 25 /* COLLAPSE */,
		MADV_DONTDUMP, MADV_DODUMP, MADV_MERGEABLE, MADV_UNMERGEABLE };
	size_t first, count = pick(worker, ANY, 8 * LONGEST, &first), which = below(worker, sizeof advices / sizeof *advices);
	if (count)
		(void)madvise(at(worker, first), count * PAGE, advices[which]);
}

/* Of one mapping: the kernel moves no more at once. All pages are like the first, and each is the next of its object. */
static size_t alike(struct worker *worker, size_t first, size_t count)
{
	if (!count)
		return 0;
	const struct page *pages = worker->arena->pages + first;
	size_t same = 1;
	bool of_object = pages[0].kind != PRIVATE;
	while (same < count && (pages[same].kind == PRIVATE) != of_object && pages[same].protection == pages[0].protection &&
		pages[same].hidden == pages[0].hidden && (!of_object || (pages[same].object == pages[0].object && pages[same].place == pages[0].place + same && (pages[same].kind == OBJECT) == (pages[0].kind == OBJECT))))
		same++;
	return same;
}

/* Whether a child has it; MADV_WIPEONFORK is not carried over (docs/limits.md). */
static void advise_for_children(struct worker *worker)
{
	size_t first, count = pick(worker, PRIVATE, LONGEST, &first);
	bool hidden = one_in(worker, 2);
	if (!count)
		return;
	MUST(worker, madvise(at(worker, first), count * PAGE, hidden ? MADV_DONTFORK : MADV_DOFORK) == 0);
	for (size_t i = 0; i < count; i++)
		worker->arena->pages[first + i].hidden = hidden;
}

/* All of it is there, and stays. */
static void lock_some(struct worker *worker)
{
	size_t first, count = pick(worker, PRIVATE | OBJECT, LONGEST / 4, &first);
	count = alike(worker, first, count);
	if (!count || is_beyond(worker, first + count - 1) || !(worker->arena->pages[first].protection & PROT_READ))
		return;
	MUST(worker, mlock(at(worker, first), count * PAGE) == 0);
	check_page(worker, first);
	MUST(worker, munlock(at(worker, first), count * PAGE) == 0);
}

static void protect_some(struct worker *worker)
{
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE };
	size_t first, count = pick(worker, ANY, LONGEST, &first);
	int protection = protections[below(worker, 4)];
	if (count)
		MUST(worker, mprotect(at(worker, first), count * PAGE, protection) == 0);
	for (size_t i = 0; i < count; i++)
		worker->arena->pages[first + i].protection = (unsigned char)protection;
}

static void move_some(struct worker *worker)
{
	size_t from, to, count = pick(worker, ANY, LONGEST, &from);
	size_t room = pick(worker, NONE, LONGEST, &to);
	count = alike(worker, from, count < room ? count : room);
	if (!count)
		return;
	bool stays = worker->arena->pages[from].kind == PRIVATE && one_in(worker, 3);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (stays ? MREMAP_DONTUNMAP : 0);
	/* Each by itself: of several mappings, which depends on their history, Linux 6.17 moves some before it says EFAULT, while a userfaultfd watches them. */
	for (size_t i = 0; i < count; i++)
		MUST(worker, mremap(at(worker, from + i), PAGE, PAGE, flags, at(worker, to + i)) == at(worker, to + i));
	memcpy(worker->arena->pages + to, worker->arena->pages + from, count * sizeof(struct page));
	for (size_t i = from; i < from + count; i++)
		worker->arena->pages[i] = (struct page){ .kind = stays ? PRIVATE : NONE, .protection = worker->arena->pages[i].protection, .hidden = worker->arena->pages[i].hidden };
}

static void check_block(struct worker *worker, const struct block *block)
{
	for (size_t i = 0; i < block->size; i++)
		if (block->bytes[i] != (unsigned char)(block->first + i * 7 / 5))
			wrong(worker, "byte of the heap", i, block->size);
}

/* malloc(3) and what is below it: brk(2). */
static void use_heap(struct worker *worker)
{
	struct block *block = &worker->arena->blocks[below(worker, BLOCKS)];
	size_t size = 1 + below(worker, one_in(worker, 3) ? LARGEST_BLOCK : 4000);
	unsigned char first = (unsigned char)(next(worker) >> 40);
	check_block(worker, block);
	if (block->bytes && one_in(worker, 2)) {
		free(block->bytes);
		*block = (struct block){ 0 };
		return;
	}
	unsigned char *bytes = realloc(block->bytes, size);
	MUST(worker, bytes);
	*block = (struct block){ bytes, size, first };
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(first + i * 7 / 5);
}

/* --- objects ------------------------------------------------------------------------------------------------------- */

static struct object *pick_object(struct worker *worker, bool with_descriptor)
{
	struct object *one = &worker->arena->objects[below(worker, OBJECTS)];
	return one->used && (one->fd >= 0 || !with_descriptor) ? one : NULL;
}

static unsigned char number_of(struct worker *worker, const struct object *object)
{
	return (unsigned char)(object - worker->arena->objects);
}

static bool is_mapped(struct worker *worker, const struct object *object)
{
	for (size_t i = 0; i < worker->arena->count; i++) {
		const struct page *one = &worker->arena->pages[i];
		if ((one->kind & (OBJECT | UNCOPIED | COPIED)) && one->object == number_of(worker, object))
			return true;
	}
	return false;
}

/* How a file or what is like one comes to be; some have no name from then on. */
static int open_object(struct worker *worker, struct object *object)
{
	static _Thread_local char name[64];
	snprintf(name, sizeof name, "object.%d.%d", worker->number, number_of(worker, object));
	object->is_file = one_in(worker, 2);
	int fd = object->is_file ? open(name, O_RDWR | O_CREAT | O_TRUNC, 0600) : memfd_create(name, 0);
	bool nameless = one_in(worker, 3);
	MUST(worker, fd >= 0 && ftruncate(fd, object->size * PAGE) == 0);
	if (object->is_file && nameless)
		MUST(worker, unlink(name) == 0);
	return fd;
}

static void make_object(struct worker *worker)
{
	struct object *object = &worker->arena->objects[below(worker, OBJECTS)];
	if (worker->child || (object->used && is_mapped(worker, object)))
		return;
	if (object->used && object->fd >= 0)
		close(object->fd);
	*object = (struct object){ .used = true, .fd = -1, .size = 1 + below(worker, OBJECT_PAGES) };
	if (!one_in(worker, 3)) {
		object->fd = open_object(worker, object);
		return;
	}
	/* anonymous: it is there as long as it is mapped; what is not, once, is lost */
	size_t first, count = pick(worker, NONE, object->size, &first);
	object->used = count > 0;
	object->size = count;
	if (!count)
		return;
	MUST(worker, mmap(at(worker, first), count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at(worker, first));
	set(worker, first, count, (struct page){ .kind = OBJECT, .protection = PROT_READ | PROT_WRITE, .object = number_of(worker, object) });
}

static void map_object(struct worker *worker)
{
	struct object *object = pick_object(worker, true);
	if (worker->child || !object || !object->size)
		return;
	size_t first, place = below(worker, object->size), count = pick(worker, NONE, object->size - place, &first);
	bool shared = one_in(worker, 2);
	if (!count)
		return;
	int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED_NOREPLACE;
	MUST(worker, mmap(at(worker, first), count * PAGE, PROT_READ | PROT_WRITE, flags, object->fd, (off_t)place * PAGE) == at(worker, first));
	struct page like = { .kind = shared ? OBJECT : UNCOPIED, .protection = PROT_READ | PROT_WRITE, .object = number_of(worker, object), .place = (unsigned char)place };
	set(worker, first, count, like);
}

static void write_object(struct worker *worker)
{
	struct object *object = pick_object(worker, true);
	size_t page;
	if (worker->child || !object || !object->size || !pick(worker, PRIVATE, 1, &page) || worker->arena->pages[page].perhaps || !(worker->arena->pages[page].protection & PROT_READ))
		return;
	size_t place = below(worker, object->size);
	MUST(worker, pwrite(object->fd, at(worker, page), PAGE, (off_t)place * PAGE) == PAGE);
	object->sums[place] = worker->arena->pages[page].sum;
}

static void read_object(struct worker *worker)
{
	struct object *object = pick_object(worker, true);
	size_t page;
	if (worker->child || !object || !object->size || !pick(worker, PRIVATE | COPIED, 1, &page) || !is_writable(worker, page))
		return;
	size_t place = below(worker, object->size);
	MUST(worker, pread(object->fd, at(worker, page), PAGE, (off_t)place * PAGE) == PAGE);
	own(worker, page);
	*sum_at(worker, page) = object->sums[place];
	check_page(worker, page);
}

/* Private copies behind the new end are gone as well, for ever. */
static void cut_object(struct worker *worker)
{
	struct object *object = pick_object(worker, true);
	if (worker->child || !object)
		return;
	object->size = below(worker, OBJECT_PAGES + 1);
	MUST(worker, ftruncate(object->fd, (off_t)object->size * PAGE) == 0);
	for (size_t i = object->size; i < OBJECT_PAGES; i++)
		object->sums[i] = 0;
	for (size_t i = 0; i < worker->arena->count; i++) {
		struct page *one = &worker->arena->pages[i];
		if (one->kind == COPIED && one->object == number_of(worker, object) && one->place >= object->size)
			one->kind = UNCOPIED;
	}
}

static void punch_object(struct worker *worker)
{
	struct object *object = pick_object(worker, true);
	if (worker->child || !object || !object->size)
		return;
	size_t place = below(worker, object->size), count = 1 + below(worker, object->size - place);
	MUST(worker, fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)place * PAGE, (off_t)count * PAGE) == 0);
	memset(object->sums + place, 0, count * sizeof *object->sums);
}

/* Gives pages of shared memory back, for all who have it. */
static void remove_some(struct worker *worker)
{
	size_t first, count = pick(worker, OBJECT, LONGEST, &first);
	count = alike(worker, first, count);
	if (!count || worker->child || worker->arena->pages[first].protection != (PROT_READ | PROT_WRITE))
		return;
	int result = madvise(at(worker, first), count * PAGE, MADV_REMOVE);
	MUST(worker, result == 0);
	for (size_t i = first; i < first + count; i++)
		*sum_at(worker, i) = 0;
}

void forget_objects(struct worker *worker)
{
	for (size_t i = 0; i < worker->arena->count; i++) {
		struct page *one = &worker->arena->pages[i];
		if (one->kind & (OBJECT | UNCOPIED | COPIED))
			*one = (struct page){ .kind = FOREIGN };
		else if (one->hidden)
			*one = (struct page){ .kind = NONE };
	}
}

/* --- of others ----------------------------------------------------------------------------------------------------- */

char *lend_page(struct worker *worker)
{
	size_t page;
	return pick(worker, PRIVATE | COPIED, 1, &page) && is_writable(worker, page) ? at(worker, page) : NULL;
}

void believe_page(struct worker *worker, const char *place)
{
	size_t page = (size_t)(place - worker->arena->base) / PAGE;
	own(worker, page);
	*sum_at(worker, page) = sum_of(place);
}

void check_memory(struct worker *worker)
{
	for (size_t i = 0; i < BLOCKS; i++)
		check_block(worker, &worker->arena->blocks[i]);
	for (size_t i = 0; i < worker->arena->count; i++) {
		check_page(worker, i);
		if (!worker->arena->pages[i].perhaps && (worker->arena->pages[i].kind & ANY) && !is_beyond(worker, i))
			found(worker, *sum_at(worker, i));
	}
}

/* All of them lie at places that no ISA and no kernel has anything else at. */
void prepare_memory(struct worker *worker, size_t pages)
{
	worker->arena = mmap(NULL, sizeof *worker->arena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(worker, worker->arena != MAP_FAILED && pages <= MOST_PAGES);
	worker->arena->base = (char *)(0x1000000000u + ((uint64_t)worker->number << 32));
	worker->arena->count = pages;
	set(worker, 0, pages, (struct page){ .kind = NONE });
	map_some(worker);
}

const struct deed memory_deeds[] = {
	{ "map", 6, map_some }, { "unmap", 4, unmap_some }, { "fill", 6, fill_some }, { "poke", 8, poke_some }, { "clear", 2, clear_some }, { "copy", 3, copy_some },
	{ "check", 8, check_some }, { "dontneed", 4, give_back }, { "free", 2, free_some }, { "advise", 3, advise_some }, { "children", 2, advise_for_children }, { "mlock", 1, lock_some }, { "heap", 4, use_heap }, { "protect", 4, protect_some }, { "mremap", 5, move_some }, { 0 },
};
const struct deed object_deeds[] = {
	{ "object", 4, make_object }, { "mapobject", 5, map_object }, { "writeobject", 4, write_object }, { "readobject", 4, read_object }, { "truncate", 1, cut_object },
	{ "punch", 2, punch_object }, { "remove", 2, remove_some }, { 0 },
};
