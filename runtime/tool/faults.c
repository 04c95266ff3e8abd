/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What happens to memory that is owed, told by userfaultfd(2): page faults, and changes of mappings. See borrow.h and owed.h. */
#include "owed.h"

enum { EVENT_FAULT = 0x12, EVENT_FORK = 0x13, EVENT_REMAP = 0x14, EVENT_REMOVE = 0x15, EVENT_UNMAP = 0x16 };

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
		SYS(NR_ioctl, shared->spaces[shared->event_space].faults, UFFDIO_WAKE, &range);
}

bool read_event(size_t number, void (*fault)(struct borrower *space, uint64_t page))
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

void wake(const struct borrower *space, uint64_t page)
{
	struct range range = { page, PAGE };
	SYS(NR_ioctl, space->faults, UFFDIO_WAKE, &range);
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

void wake_all(struct borrower *space)
{
	for (size_t i = 0; i < space->owed->count; i++) {
		const struct owed *item = &space->owed->items[i];
		struct range range = { item->start, item->end - item->start };
		if (range.end)
			SYS(NR_ioctl, space->faults, UFFDIO_WAKE, &range);
	}
}

bool take_events(size_t number, void (*fault)(struct borrower *space, uint64_t page))
{
	int count = 0;
	while (count < MOST_EVENTS && read_event(number, fault))
		count++;
	return count > 0;
}
