/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See held.h: how what is held comes to its processes. */
#include "held.h"
#include "sockets.h"
#include "wire.h"

enum { PROT_READ = 1, MAP_SHARED = 1, SEEK_DATA = 3, PIECES = 16 /* at once */, AROUND = 16 * PAGE, CHUNK = MOST_REGIONS * PAGE };

static char data[MOST_PIECE] __attribute__((aligned(PAGE)));

void find_held(void)
{
	int socket = connect_to(hold_name), store = -1;
	shared->store = shared->holder = -1;
	if (socket < 0)
		return;
	if (!receive_descriptors(socket, &store, 1)) {
		SYS(NR_close, socket);
		return;
	}
	long mapped = SYS(NR_mmap, 0, sizeof *shared->held, PROT_READ, MAP_SHARED, store, HELD_HEAD);
	if (mapped < 0 && mapped > -4096)
		return;
	shared->store = store;
	shared->holder = socket;
	shared->held = (const struct held_head *)mapped;
}

static bool is_complete(void)
{
	return __atomic_load_n(&shared->held->complete, __ATOMIC_SEQ_CST) != 0;
}

static long number_of(uint32_t pid)
{
	for (size_t i = 0; i < shared->held->processes && i < MOST_HELD; i++)
		if (shared->held->pids[i] == pid)
			return (long)i;
	return -1;
}

/* How many of the pages from `source` on are marked as true, after those that are not (`skip`), of at most `count`. */
static size_t true_run(size_t process, uint64_t source, size_t count, size_t *skip)
{
	char marks[PIECE_PAGES] = { 0 };
	size_t first = 0, end;
	if (SYS(NR_pread64, shared->store, marks, count, held_mark(process, source)) < 0)
		leave(LOST_FOR_GOOD); /* not as if none were there; the other process tries again */
	while (first < count && marks[first] != MARK_TRUE)
		first++;
	for (end = first; end < count && marks[end] == MARK_TRUE; end++)
		;
	*skip = first;
	return end - first;
}

/* --- what does not exist ------------------------------------------------------------------------------------------- */

static void keep_chunk(size_t process, uint64_t start, uint64_t end)
{
	static struct range ranges[MOST_REGIONS];
	size_t used = 0, skip;
	for (uint64_t at = start; at < end;) {
		size_t count = (end - at) / PAGE, run = true_run(process, at, count < PIECE_PAGES ? count : PIECE_PAGES, &skip);
		at += skip * PAGE;
		if (!run)
			continue;
		if (used && ranges[used - 1].end == at)
			ranges[used - 1].end += run * PAGE;
		else
			ranges[used++] = (struct range){ at, at + run * PAGE };
		at += run * PAGE;
	}
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].pid == shared->held->pids[process])
			keep_only(&shared->spaces[i], start, end, ranges, used);
}

/* Of an area nothing but what is marked is owed. Where marks are a hole, nothing is. */
static void settle_cover(const struct cover *cover)
{
	for (uint64_t at = cover->start, end; at < cover->end; at = end) {
		long found = SYS(NR_lseek, shared->store, held_mark(cover->process, at), SEEK_DATA);
		uint64_t next = found < 0 || (uint64_t)found >= held_mark(cover->process, cover->end) ? cover->end : at + ((uint64_t)found - held_mark(cover->process, at)) * PAGE;
		end = next > at ? next : cover->end - at > CHUNK ? at + CHUNK : cover->end;
		keep_chunk(cover->process, at, end);
	}
}

/* Once, when it is known of all pages. Who waits for one that does not exist asks anew. */
static void settle(void)
{
	for (size_t i = 0; i < shared->held->covers_count && i < MOST_COVERS; i++)
		if (shared->held->covers[i].process < MOST_HELD)
			settle_cover(&shared->held->covers[i]);
	shared->settled = true;
	for (size_t i = 0; i < shared->count; i++)
		wake_all(&shared->spaces[i]);
}

void attend_holder(void)
{
	char byte;
	if (SYS(NR_read, shared->holder, &byte, 1) > 0)
		return;
	SYS(NR_close, shared->holder);
	shared->holder = -1;
}

bool is_held_first(void)
{
	return shared->store >= 0 && shared->placing;
}

/* --- pages --------------------------------------------------------------------------------------------------------- */

/* Room for what is yet to come; not while a copy of the process still owes it. */
static void release(uint32_t pid, size_t process, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].pid == pid && owes(&shared->spaces[i], start, end))
			return;
	SYS(NR_fallocate, shared->store, PUNCH_HOLE, held_page(process, start), end - start);
}

/* To meet a fault may need `data`, so those of which we hear while it is in use are postponed until then. */
static bool put(uint32_t pid, size_t process, uint64_t start, uint64_t end)
{
	size_t size = end - start;
	memset(data, 0, size);
	bool done = SYS(NR_pread64, shared->store, data, size, held_page(process, start)) >= 0 && put_pages(pid, start, end, data, postpone);
	if (done)
		release(pid, process, start, end);
	meet_postponed(on_fault);
	return done;
}

/* From a space's cursor on; false if there is nothing more, at the moment. */
static bool put_next(struct borrower *space)
{
	const struct owed_list *list = space->owed;
	long process = number_of(space->pid);
	size_t i = find_owed(list, space->placed), skip;
	while (i < list->count && list->items[i].start >= list->items[i].end)
		i++;
	if (i == list->count || process < 0)
		return false;
	struct owed item = list->items[i];
	uint64_t start = (item.start > space->placed ? item.start : space->placed) + item.shift, end = item.end + item.shift;
	uint64_t limit = __atomic_load_n(&shared->held->until[process], __ATOMIC_SEQ_CST);
	end = end < limit ? end : limit;
	if (start >= end)
		return false;
	size_t count = (end - start) / PAGE, run = true_run((size_t)process, start, count < PIECE_PAGES ? count : PIECE_PAGES, &skip);
	uint64_t from = start + skip * PAGE, to = from + run * PAGE;
	if (run && !put(space->pid, (size_t)process, from, to))
		return false;
	space->placed = to - item.shift;
	return true;
}

static bool put_some(void)
{
	bool more = false;
	for (size_t i = 0; i < shared->count; i++) {
		struct borrower *space = &shared->spaces[i];
		if (space->faults < 0 || space->gone)
			continue;
		for (int piece = 0; piece < PIECES && (more = put_next(space)); piece++)
			;
		if (more)
			return true;
	}
	return false;
}

bool put_held(void)
{
	if (shared->store < 0 || !shared->restored)
		return false;
	bool is_all = is_complete(), more;
	if (is_all && !shared->settled)
		settle();
	more = put_some();
	shared->placing = more || (!is_all && shared->holder >= 0); /* if not, what is left comes over the link */
	return more;
}

bool put_held_at(struct borrower *space, const struct owed *item, uint64_t page)
{
	long process = shared->store < 0 ? -1 : number_of(space->pid);
	size_t skip;
	uint64_t source = page + item->shift, end = item->end + item->shift;
	if (process < 0)
		return false;
	end = end - source > AROUND ? source + AROUND : end;
	size_t run = true_run((size_t)process, source, (end - source) / PAGE, &skip);
	return run && !skip && put(space->pid, (size_t)process, source, source + run * PAGE);
}
