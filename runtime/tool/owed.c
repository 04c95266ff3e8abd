/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See borrow.h and owed.h. */
#include "owed.h"

enum { ROOM = 64 };

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

void exchange(struct borrower *space, struct owed_list *list)
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

struct owed_list *without(struct borrower *space, uint64_t start, uint64_t end, size_t more)
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

struct owed_list *moved(struct borrower *space, uint64_t from, uint64_t to, uint64_t size)
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

static bool part_of(const struct owed *item, uint64_t start, uint64_t end, struct owed *part)
{
	uint64_t from = item->start + item->shift, to = item->end + item->shift;
	from = from > start ? from : start;
	to = to < end ? to : end;
	*part = (struct owed){ from - item->shift, to - item->shift, item->shift };
	return item->start < item->end && from < to;
}

bool find_part(const struct borrower *space, uint64_t start, uint64_t end, struct owed *part)
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
