/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See wire.h. What is private to the process that works begins anew with it. */
#include "wire.h"
#include "commands.h"
#include "held.h"
#include "sockets.h"

enum { MOST_ASKED = 64, SPARED = 16 /* of them for who waits */, LEAST_WINDOW = 4 * MOST_PIECE, MOST_WINDOW = (MOST_ASKED - SPARED) * MOST_PIECE };
enum { AHEAD = 50 /* ms of transfer that are asked for */, NEAR = 16 * PAGE /* comes with a page that is waited for */, TELL_PAUSE = 200 /* ms */ };
enum { F_SETFL = 4, TURNS = 8, SOCKET = 0, IN = 1, OUT = 2 };
static const uint64_t all = UINT64_MAX;
static const char delivered_name[] = "delivered", lost_name[] = "lost";
const char link_name[] = "link.socket";

static struct page_request asked[MOST_ASKED]; /* a ring */
static size_t first, asked_count;
static uint64_t bytes_asked, window, bytes_come, all_come /* over this link */, cursors[MOST_SPACES];
static long since, told;
static bool starved; /* somebody waits for whom nothing could be asked */

static struct page_answer head;
static char data[MOST_PIECE] __attribute__((aligned(PAGE)));
static size_t have; /* of the head and what follows it */

/* --- requests ------------------------------------------------------------------------------------------------------ */

void drop_link(void)
{
	for (size_t i = 0; i < sizeof shared->link / sizeof *shared->link; i++) {
		int fd = shared->link[i];
		shared->link[i] = -1;
		if (fd >= 0)
			SYS(NR_close, fd);
	}
	first = asked_count = have = 0;
	bytes_asked = bytes_come = all_come = 0;
	window = shared->eager ? MOST_WINDOW : LEAST_WINDOW;
	memset(cursors, 0, sizeof cursors);
}

void accept_link(void)
{
	int ends[2] = { -1, -1 }, socket = (int)SYS(NR_accept4, shared->link_listener, 0, 0, O_CLOEXEC);
	drop_link();
	if (socket < 0 || !receive_descriptors(socket, ends, 2)) {
		SYS(NR_close, socket);
		return;
	}
	for (int i = 0; i < 2; i++)
		SYS(NR_fcntl, ends[i], F_SETFL, O_NONBLOCK | (i ? O_WRONLY : O_RDONLY));
	shared->link[SOCKET] = socket;
	shared->link[IN] = ends[0];
	shared->link[OUT] = ends[1];
	since = now();
	for (size_t i = 0; i < shared->count; i++)
		wake_all(&shared->spaces[i]);
}

/* Short enough for a pipe to take it whole, or not at all. */
static bool say(uint32_t kind, uint32_t pid, uint64_t start, uint64_t end)
{
	struct page_request request = { kind, pid, start, end };
	if (shared->link[OUT] < 0)
		return false;
	if (SYS(NR_write, shared->link[OUT], &request, sizeof request) == sizeof request)
		return true;
	if (kind <= ASK_MAP)
		drop_link(); /* so full a pipe is one that nobody empties */
	return false;
}

static bool is_asked(uint32_t kind, uint32_t pid, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < asked_count; i++) {
		const struct page_request *one = &asked[(first + i) % MOST_ASKED];
		if (one->kind == kind && one->pid == pid && one->start <= start && end <= one->end)
			return true;
	}
	return false;
}

/* As the source has it. */
static bool ask(uint32_t kind, uint32_t pid, uint64_t start, uint64_t end)
{
	if (asked_count == MOST_ASKED || !say(kind, pid, start, end))
		return false;
	asked[(first + asked_count++) % MOST_ASKED] = (struct page_request){ kind, pid, start, end };
	bytes_asked += kind == ASK_PAGES ? end - start : 0;
	return true;
}

void on_fault(struct borrower *space, uint64_t page)
{
	const struct owed_list *list = space->owed;
	size_t i = find_owed(list, page);
	if (i == list->count || list->items[i].start > page) {
		put_zero(space, page);
		return;
	}
	const struct owed *item = &list->items[i];
	if (put_held_at(space, item, page))
		return;
	uint64_t source = page + item->shift, low = item->start + item->shift, high = item->end + item->shift;
	if (is_asked(ASK_PAGES, space->pid, source, source + PAGE))
		return;
	uint64_t near = is_held_first() ? PAGE : NEAR; /* its neighbours are here, as soon as they have been compared */
	uint64_t start = source & -near, end = start + near;
	starved |= !ask(ASK_PAGES, space->pid, start > low ? start : low, end < high ? end : high);
}

/* --- what comes unasked -------------------------------------------------------------------------------------------- */

/* Which pages of the rest are there at all; one question for all that has stayed in its place. */
static bool ask_map(const struct borrower *space)
{
	const struct owed_list *list = space->owed;
	size_t i = find_owed(list, space->mapped), last = list->count;
	while (i < list->count && list->items[i].start >= list->items[i].end)
		i++;
	if (i == list->count)
		return false;
	while (list->items[last - 1].start >= list->items[last - 1].end)
		last--;
	const struct owed *from = &list->items[i], *to = space->shifted ? from : &list->items[last - 1];
	uint64_t start = from->start > space->mapped ? from->start : space->mapped;
	if (!is_asked(ASK_MAP, space->pid, start + from->shift, to->end + from->shift))
		ask(ASK_MAP, space->pid, start + from->shift, to->end + from->shift);
	return true;
}

static bool ask_next(size_t number)
{
	struct borrower *space = &shared->spaces[number];
	const struct owed_list *list = space->owed;
	size_t i = find_owed(list, cursors[number]);
	while (i < list->count && list->items[i].start >= list->items[i].end)
		i++;
	if (i == list->count)
		return false;
	const struct owed *item = &list->items[i];
	uint64_t start = item->start > cursors[number] ? item->start : cursors[number];
	uint64_t end = item->end - start > MOST_PIECE ? start + MOST_PIECE : item->end;
	cursors[number] = end;
	if (!is_asked(ASK_PAGES, space->pid, start + item->shift, end + item->shift))
		ask(ASK_PAGES, space->pid, start + item->shift, end + item->shift);
	return true;
}

static bool lives(const struct borrower *space)
{
	return space->faults >= 0 && !space->gone;
}

void ask_ahead(void)
{
	bool more = shared->restored && shared->link[OUT] >= 0;
	while (more && bytes_asked < window && asked_count < MOST_ASKED - SPARED) {
		more = false;
		for (size_t i = 0; i < shared->count && !more; i++) {
			struct borrower *space = &shared->spaces[i];
			if (lives(space) && space->mapped != all && !ask_map(space))
				space->mapped = all;
			if (lives(space) && space->mapped != all)
				return; /* until the answer has come */
			more = lives(space) && ask_next(i);
		}
	}
	if (!more && !asked_count) /* once more from the beginning: what could not be put, or was moved */
		memset(cursors, 0, sizeof cursors);
}

static uint64_t left(void)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < shared->count; i++)
		bytes += lives(&shared->spaces[i]) ? bytes_owed(shared->spaces[i].owed) : 0;
	return bytes;
}

bool all_delivered(void)
{
	return !asked_count && left() == 0;
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

/* Whether an answer is to what was asked first; a link that brings others is dropped. */
static bool is_expected(void)
{
	const struct page_request *request = &asked[first];
	if (!asked_count || head.pid != request->pid || head.start < request->start || head.start >= head.end || head.end > request->end || head.size > MOST_PIECE)
		return false;
	if (request->kind == ASK_MAP)
		return head.kind == MAP && head.size % sizeof(struct range) == 0;
	return (head.start | head.end) % PAGE == 0 && (head.kind == PAGES ? head.size == head.end - head.start : head.kind == ZEROS && head.size == 0);
}

static void take_map(void)
{
	const struct range *ranges = (const struct range *)data;
	for (size_t i = 0; i < shared->count; i++) {
		struct borrower *space = &shared->spaces[i];
		if (space->pid != head.pid || !space->owed->count)
			continue;
		const struct owed *item = &space->owed->items[0];
		uint64_t shift = space->shifted ? 0 : item->shift;
		keep_only(space, head.start, head.end, ranges, head.size / sizeof *ranges);
		if (!space->shifted && space->mapped != all)
			space->mapped = head.end - shift;
		else
			space->mapped = all; /* moved meanwhile: pages that are not there come as zeros */
	}
}

static void pop(void)
{
	const struct page_request *request = &asked[first];
	if (request->kind == ASK_PAGES && head.end < request->end)
		return;
	bytes_asked -= request->kind == ASK_PAGES ? request->end - request->start : 0;
	first = (first + 1) % MOST_ASKED;
	asked_count--;
	if (starved) {
		starved = false;
		for (size_t i = 0; i < shared->count; i++)
			wake_all(&shared->spaces[i]);
	}
}

/* As much as passes in AHEAD is asked for: the link is never idle, and who waits for a page does not wait for long. */
static void adapt(size_t size)
{
	long time = now();
	bytes_come += size;
	all_come += size;
	if (time - since >= AHEAD && !shared->eager) {
		uint64_t wanted = bytes_come * AHEAD / (uint64_t)(time - since) * 3 / 2;
		window = wanted < LEAST_WINDOW ? LEAST_WINDOW : wanted > MOST_WINDOW ? MOST_WINDOW : wanted;
		since = time;
		bytes_come = 0;
	}
	if (time - told >= TELL_PAUSE) {
		told = time;
		say(TELL_LEFT, 0, left(), all_come);
	}
}

/* A whole answer; false if it is none that could be used. */
static bool take(void)
{
	if (checksum(data, head.size) != head.check)
		return false;
	if (head.kind == MAP)
		take_map();
	else if (!put_pages(head.pid, head.start, head.end, head.kind == PAGES ? data : NULL, on_fault))
		return false;
	if (!asked_count)
		return true; /* the link was dropped meanwhile */
	pop();
	adapt(sizeof head + head.size);
	return true;
}

void take_answers(void)
{
	for (int turn = 0; turn < TURNS && shared->link[IN] >= 0; turn++) {
		bool in_head = have < sizeof head;
		char *at = in_head ? (char *)&head + have : data + (have - sizeof head);
		size_t wanted = in_head ? sizeof head - have : sizeof head + head.size - have;
		long got = SYS(NR_read, shared->link[IN], at, wanted);
		if (got == -EAGAIN || got == -EINTR)
			return;
		have += got > 0 ? (size_t)got : 0;
		if (got <= 0 || (have == sizeof head && !is_expected())) {
			drop_link();
			return;
		}
		if (have < sizeof head || have < sizeof head + head.size)
			continue;
		have = 0;
		if (!take()) {
			drop_link();
			return;
		}
	}
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

void say_lost(void)
{
	struct text none = { 0 };
	(void)write_file(lost_name, &none);
}

void forget_ends(void)
{
	SYS(NR_unlinkat, AT_FDCWD, delivered_name, 0);
	SYS(NR_unlinkat, AT_FDCWD, lost_name, 0);
}

int say_delivered(void)
{
	static const char status = DELIVERED;
	struct text none = { 0 };
	(void)write_file(delivered_name, &none); /* on a full disk the link alone says so */
	say(TELL_DONE, 0, 0, all_come);
	if (shared->link[SOCKET] >= 0)
		SYS(NR_write, shared->link[SOCKET], &status, 1);
	return DELIVERED;
}

/* Brings its standard streams, which lead to the source, to the process that borrows for a directory of images; ends with them. */
int command_link(const struct options *options)
{
	static const int streams[2] = { 0, 1 };
	char status;
	if (!options->launch.directory || SYS(NR_chdir, options->launch.directory) < 0)
		return report_failure("usage", "--dir is missing, or cannot be entered");
	int socket = file_exists(lost_name) ? -1 : connect_to(link_name);
	if (socket < 0)
		return file_exists(delivered_name) ? DELIVERED : LOST_FOR_GOOD;
	if (!send_descriptors(socket, streams, 2))
		return AGAIN;
	SYS(NR_close, 0);
	SYS(NR_close, 1);
	if (SYS(NR_read, socket, &status, 1) == 1)
		return status;
	return AGAIN;
}
