/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See borrow.h. */
#include "borrow.h"
#include "poll.h"

enum { EVENT_FAULT = 0x12, EVENT_FORK = 0x13, EVENT_REMAP = 0x14, EVENT_REMOVE = 0x15, EVENT_UNMAP = 0x16 };
enum { ROOM = 64, PAUSE = 20, EVENT_TIME = 1 /* ms */ };
#define COPY 0xc028aa03u
#define ZEROPAGE 0xc020aa04u
#define WAKE 0x8010aa02u

struct copy {
	uint64_t target, source, size, mode;
	int64_t copied;
};

struct zeropage {
	struct range range; /* start and length */
	uint64_t mode;
	int64_t done;
};

/* Orders what the other process may find: a list before the pointer to it. */
static void publish(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

struct owed_list *make_list(size_t count)
{
	size_t room = count + ROOM;
	struct owed_list *list = allocate_shared(sizeof *list + room * sizeof *list->items);
	list->room = room;
	return list;
}

size_t find_owed(const struct owed_list *list, uint64_t address)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (list->items[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint64_t bytes_owed(const struct owed_list *list)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < list->count; i++)
		bytes += list->items[i].end - list->items[i].start;
	return bytes;
}

/* An empty list that has at least so much room: one that was used before, if it has. Memory is never given back. */
static struct owed_list *fresh_list(const struct borrower *space, struct owed_list **used, size_t count)
{
	struct owed_list *list = *used;
	if (!list || list->room < count)
		list = make_list(2 * count);
	*used = NULL;
	list->count = 0;
	list->event = space->owed->event;
	return list;
}

static void exchange(struct borrower *space, struct owed_list *list)
{
	struct owed_list *before = space->owed;
	publish();
	space->owed = list;
	publish();
	space->spare = before;
}

static void add(struct owed_list *list, uint64_t start, uint64_t end, uint64_t shift)
{
	if (start < end)
		list->items[list->count++] = (struct owed){ start, end, shift };
}

/* A new list: what is owed outside of [start, end). */
static struct owed_list *without(struct borrower *space, uint64_t start, uint64_t end, size_t more)
{
	const struct owed_list *list = space->owed;
	struct owed_list *new = fresh_list(space, &space->spare, list->count + 1 + more);
	for (size_t i = 0; i < list->count; i++) {
		const struct owed *item = &list->items[i];
		add(new, item->start, item->end < start ? item->end : start, item->shift);
		add(new, item->start > end ? item->start : end, item->end, item->shift);
	}
	return new;
}

void forget_owed(struct borrower *space, uint64_t start, uint64_t end)
{
	struct owed_list *list = space->owed;
	for (size_t i = find_owed(list, start); i < list->count && list->items[i].start < end; i++) {
		struct owed *item = &list->items[i];
		if (item->start >= start)
			item->start = item->end < end ? item->end : end; /* each one store: an empty range is none */
		else if (item->end <= end)
			item->end = start;
		else {
			exchange(space, without(space, start, end, 0));
			return;
		}
	}
}

void keep_only(struct borrower *space, uint64_t start, uint64_t end, const struct range *ranges, size_t count)
{
	const struct owed_list *list = space->owed;
	struct owed_list *new = fresh_list(space, &space->spare, 3 * list->count + count);
	for (size_t i = 0; i < list->count; i++) {
		struct owed item = list->items[i];
		uint64_t first = item.start + item.shift, last = item.end + item.shift; /* as the source has them */
		if (last <= start || first >= end) {
			add(new, item.start, item.end, item.shift);
			continue;
		}
		add(new, item.start, first < start ? start - item.shift : item.start, item.shift);
		uint64_t low = first > start ? first : start, high = last < end ? last : end;
		for (size_t k = 0; k < count; k++) {
			uint64_t from = ranges[k].start > low ? ranges[k].start : low, to = ranges[k].end < high ? ranges[k].end : high;
			if (from < to)
				add(new, from - item.shift, to - item.shift, item.shift);
		}
		add(new, last > end ? end - item.shift : item.end, item.end, item.shift);
	}
	exchange(space, new);
}

/* --- events -------------------------------------------------------------------------------------------------------- */

/* mremap(2): what was owed at [from, from + size) is owed at `to`. */
static struct owed_list *moved(struct borrower *space, uint64_t from, uint64_t to, uint64_t size)
{
	const struct owed_list *list = space->owed;
	space->shifted = true;
	struct owed_list *rest = without(space, from, from + size, list->count), *sorted;
	size_t before = rest->count;
	for (size_t i = 0; i < list->count; i++) {
		const struct owed *item = &list->items[i];
		uint64_t start = item->start > from ? item->start : from, end = item->end < from + size ? item->end : from + size;
		if (start < end)
			add(rest, start - from + to, end - from + to, item->shift + from - to);
	}
	sorted = fresh_list(space, &space->scratch, rest->count); /* the moved ones are in order, and belong between the others */
	size_t a = 0, b = before;
	while (a < before || b < rest->count)
		sorted->items[sorted->count++] = b == rest->count || (a < before && rest->items[a].start < rest->items[b].start) ? rest->items[a++] : rest->items[b++];
	space->scratch = rest;
	return sorted;
}

/*
 * A place for the space of a child: that of one that was forked before and is gone, if there is any. It stays `gone` until all of it is there: the
 * other process may take over in the middle, and do this again; then its descriptor may be the new one already.
 */
static struct borrower *place_for(int faults)
{
	for (size_t i = 0; i < shared->count; i++) {
		struct borrower *space = &shared->spaces[i];
		int before = space->faults;
		if (!space->gone || space->process >= 0 || space->armed || space->group_armed || i == shared->event_space)
			continue;
		space->faults = -1;
		publish();
		if (before >= 0 && before != faults)
			SYS(NR_close, before);
		return space;
	}
	return shared->count < MOST_SPACES ? &shared->spaces[shared->count] : NULL;
}

static void add_forked(const struct borrower *parent, int faults)
{
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].faults == faults && !shared->spaces[i].gone)
			return;
	struct borrower *space = place_for(faults);
	if (!space) {
		shared->failed = true;
		return;
	}
	bool last = space == &shared->spaces[shared->count];
	struct owed_list *list = !last && space->owed->room >= parent->owed->count ? space->owed : make_list(parent->owed->count);
	memcpy(list->items, parent->owed->items, parent->owed->count * sizeof *list->items);
	list->count = parent->owed->count;
	*space = (struct borrower){ .pid = parent->pid, .faults = faults, .process = -1, .owed = list, .shifted = parent->shifted, .mapped = parent->mapped, .gone = !last };
	publish();
	if (last)
		shared->count++;
	else
		space->gone = false;
}

void apply_event(void)
{
	const struct event *event = &shared->event;
	struct borrower *space = &shared->spaces[shared->event_space];
	if (!event->kind || event->kind == EVENT_FAULT || space->owed->event == shared->event_number)
		return;
	struct owed_list *list;
	if (event->kind == EVENT_FORK)
		add_forked(space, (int)(uint32_t)event->values[0]);
	if (event->kind == EVENT_REMAP)
		list = moved(space, event->values[0], event->values[1], event->values[2]);
	else if (event->kind == EVENT_REMOVE || event->kind == EVENT_UNMAP)
		list = without(space, event->values[0], event->values[1], 0);
	else
		list = without(space, 0, 0, 0);
	list->event = shared->event_number;
	exchange(space, list);
}

/* Who waits for a page that is not owed any more would hear of it when all others have come: its thread touches it again, and finds what is there now. */
static void release_waiting(void)
{
	const struct event *event = &shared->event;
	struct range range = { event->values[0], event->values[1] - event->values[0] };
	if (event->kind == EVENT_REMAP)
		range.end = event->values[2];
	if (event->kind == EVENT_REMAP || event->kind == EVENT_REMOVE || event->kind == EVENT_UNMAP)
		SYS(NR_ioctl, shared->spaces[shared->event_space].faults, WAKE, &range);
}

static bool read_event(size_t number, void (*fault)(struct borrower *space, uint64_t page))
{
	struct borrower *space = &shared->spaces[number];
	shared->event.kind = 0;
	publish();
	shared->event_space = number;
	shared->event_number++;
	publish();
	long got = SYS(NR_read, space->faults, &shared->event, sizeof shared->event);
	if (got != sizeof shared->event)
		return false;
	if (shared->event.kind == EVENT_FAULT)
		fault(space, shared->event.values[1] & -(uint64_t)PAGE);
	else {
		apply_event();
		release_waiting();
	}
	return true;
}

static void wake(const struct borrower *space, uint64_t page)
{
	struct range range = { page, PAGE };
	SYS(NR_ioctl, space->faults, WAKE, &range);
}

void ask_again(void)
{
	if (shared->event.kind == EVENT_FAULT)
		wake(&shared->spaces[shared->event_space], shared->event.values[1] & -(uint64_t)PAGE);
	release_waiting();
	for (size_t i = 0; i < shared->postponed_count; i++)
		wake(&shared->spaces[shared->postponed[i].space], shared->postponed[i].page);
	shared->postponed_count = 0;
	for (size_t i = 0; i < shared->count; i++)
		wake_all(&shared->spaces[i]);
}

void postpone(struct borrower *space, uint64_t page)
{
	if (shared->postponed_count == MOST_POSTPONED) {
		wake(space, page); /* its thread touches the page again, and is told of again */
		return;
	}
	shared->postponed[shared->postponed_count] = (struct postponed){ (size_t)(space - shared->spaces), page };
	publish();
	shared->postponed_count++;
	publish();
}

/* What is postponed meanwhile is met in the same pass. */
void meet_postponed(void (*fault)(struct borrower *space, uint64_t page))
{
	static bool meeting;
	if (meeting)
		return;
	meeting = true;
	for (size_t i = 0; i < shared->postponed_count; i++)
		fault(&shared->spaces[shared->postponed[i].space], shared->postponed[i].page);
	shared->postponed_count = 0;
	meeting = false;
}

/* --- pages --------------------------------------------------------------------------------------------------------- */

void wake_all(struct borrower *space)
{
	for (size_t i = 0; i < space->owed->count; i++) {
		const struct owed *item = &space->owed->items[i];
		struct range range = { item->start, item->end - item->start };
		if (range.end)
			SYS(NR_ioctl, space->faults, WAKE, &range);
	}
}

void put_zero(struct borrower *space, uint64_t page)
{
	struct zeropage zero = { { page, PAGE }, 0, 0 };
	long result = SYS(NR_ioctl, space->faults, ZEROPAGE, &zero);
	if (result == -ESRCH)
		space->gone = true;
	else if (result < 0)
		wake(space, page); /* it is there by now, or nowhere; or (EAGAIN) memory changes: then the fault comes again */
}

/* As much of [start, end) as goes at once: bytes, or -errno. */
static long fill(const struct borrower *space, uint64_t start, uint64_t end, const char *data)
{
	if (data) {
		struct copy copy = { start, (uint64_t)data, end - start, 0, 0 };
		long result = SYS(NR_ioctl, space->faults, COPY, &copy);
		return copy.copied > 0 ? copy.copied : result < 0 ? result : (long)(end - start);
	}
	struct zeropage zero = { { start, end - start }, 0, 0 };
	long result = SYS(NR_ioctl, space->faults, ZEROPAGE, &zero);
	return zero.done > 0 ? zero.done : result < 0 ? result : (long)(end - start);
}

static bool part_of(const struct owed *item, uint64_t start, uint64_t end, struct owed *part)
{
	uint64_t from = item->start + item->shift, to = item->end + item->shift;
	from = from > start ? from : start;
	to = to < end ? to : end;
	*part = (struct owed){ from - item->shift, to - item->shift, item->shift };
	return item->start < item->end && from < to;
}

/* The first part of the source's [start, end) that a space owes; false if there is none. */
static bool find_part(const struct borrower *space, uint64_t start, uint64_t end, struct owed *part)
{
	const struct owed_list *list = space->owed;
	for (size_t i = space->shifted ? 0 : find_owed(list, start); i < list->count && (space->shifted || list->items[i].start < end); i++)
		if (part_of(&list->items[i], start, end, part))
			return true;
	return false;
}

bool owes(const struct borrower *space, uint64_t start, uint64_t end)
{
	struct owed part;
	return !space->gone && find_part(space, start, end, &part);
}

bool take_events(size_t number, void (*fault)(struct borrower *space, uint64_t page))
{
	int count = 0;
	while (count < MOST_EVENTS && read_event(number, fault))
		count++;
	return count > 0;
}

/* For a moment: the thread whose call that is needs this processor, perhaps. */
static void await_event(const struct borrower *space)
{
	struct poll poll = { space->faults, POLLIN, 0 };
	poll_for(&poll, 1, EVENT_TIME);
}

static bool put_in_space(size_t number, uint64_t start, uint64_t end, const char *data, void (*fault)(struct borrower *space, uint64_t page))
{
	struct borrower *space = &shared->spaces[number];
	struct owed part;
	uint64_t missing = 1; /* where there was no mapping a moment ago */
	uint64_t most = end - start; /* that goes at once: less where two mappings meet */
	while (!space->gone && find_part(space, start, end, &part)) {
		const char *from = data ? data + (part.start + part.shift - start) : NULL;
		uint64_t size = part.end - part.start < most ? part.end - part.start : most;
		long done = fill(space, part.start, part.start + size, from);
		if (done > 0) {
			forget_owed(space, part.start, part.start + (uint64_t)done);
			most = end - start;
		} else if (done == -EEXIST) {
			forget_owed(space, part.start, part.start + PAGE);
			wake(space, part.start);
		} else if (done == -ESRCH) {
			space->gone = true;
		} else if (done == -EAGAIN) {
			/* Memory changes: first it must be known how. Then at once: a program may change it again and again. */
			if (!read_event(number, fault))
				await_event(space);
		} else if (done == -ENOENT && size > PAGE) {
			most = size / 2 & -(uint64_t)PAGE; /* not one mapping: mprotect(2) and madvise(2) divide them, and nobody tells */
		} else if (done == -ENOENT) {
			/*
			 * No mapping. It may have moved just now: then the next attempt says EAGAIN until that is known. Only what is missing twice without
			 * any news has been unmapped, or another program executes there; or (before the end of a restore) is not there yet.
			 */
			if (take_events(number, fault) || part.start != missing) {
				missing = part.start;
				continue;
			}
			if (!shared->restored)
				return true;
			forget_owed(space, part.start, part.start + PAGE);
		} else if (done == -ENOMEM) {
			rest(PAUSE);
		} else {
			return false;
		}
	}
	return true;
}

bool put_pages(uint32_t pid, uint64_t start, uint64_t end, const char *data, void (*fault)(struct borrower *space, uint64_t page))
{
	bool good = true;
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].pid == pid)
			good = put_in_space(i, start, end, data, fault) && good;
	return good;
}
