/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See window.h. */
#include "window.h"
#include "told.h"

static int known;  /* a file with a hash for each page */
static int stamps; /* one with a byte for each: in which round it was told as written, 0 once it was read in a later one */
static char pages[MOST_PIECE] __attribute__((aligned(PAGE)));

struct round round_now;

bool know_nothing(void)
{
	enum { MFD_CLOEXEC = 1 };
	known = (int)SYS(NR_memfd_create, "hashes", MFD_CLOEXEC);
	stamps = (int)SYS(NR_memfd_create, "stamps", MFD_CLOEXEC);
	return known >= 0 && stamps >= 0;
}

/* What is to be done with a page of a window: nothing; it is as it was sent; it is read, and nobody has written it, says the kernel; or somebody may have. */
enum plan { ABSENT, KNOWN, READ, READ_WRITTEN };
enum state { UNCHANGED, CHANGED, NOW_ZERO };

/* Some memory, with what is known of it; it begins at a multiple of its size. */
static struct {
	const struct copied *copy;
	uint64_t start;
	struct hash hashes[SAME_PAGES];
	uint8_t told[SAME_PAGES], plans[SAME_PAGES];
} window;

static enum state compare(const char *page, struct hash *before)
{
	struct hash hash = hash_page(page);
	if (hash.words[0] == before->words[0] && hash.words[1] == before->words[1])
		return UNCHANGED;
	*before = hash;
	return is_zero_page(page) ? NOW_ZERO : CHANGED;
}

static uint64_t number_of(const struct copied *copy, uint64_t address)
{
	return (uint64_t)copy->number << 44 | address / PAGE;
}

static long place_of(const struct copied *copy, uint64_t address)
{
	return (long)(number_of(copy, address) * sizeof(struct hash));
}

/* They are as if told as written in a round before the first: what the kernel says of them now is nothing that we have looked at. */
bool know_pages(const struct copied *copy, uint64_t start, const struct hash *hashes, size_t count)
{
	static uint8_t before[SAME_PAGES];
	size_t size = count * sizeof *hashes;
	memset(before, UINT8_MAX, count);
	return SYS(NR_pwrite64, known, hashes, size, place_of(copy, start)) == (long)size &&
	       SYS(NR_pwrite64, stamps, before, count, number_of(copy, start)) == (long)count;
}

void forget_pages(const struct copied *copy, struct range range)
{
	SYS(NR_fallocate, known, PUNCH_HOLE, place_of(copy, range.start), (range.end - range.start) / PAGE * sizeof(struct hash));
}

/*
 * Whether pages that were not written since they were last looked at are as they were sent, without a look at their contents. Who has
 * pinned a page before it was looked at writes to it afterwards, and no fault tells: a read from a device, on its way while we look. So each page is read in
 * a round after the one that told it as written as well: what was on its way when it was looked at, and had not come by then, was so when this
 * round began; then no process is tracked any more, or this round is not enough (look_for_reads). What is told as written is protected before it is read, so it
 * is enough that the two are in different rounds, however long these take. A page told twice in a round (tracked_pages) has been read in it.
 */
static bool is_known(const struct hash *hash, uint8_t told)
{
	return hash->words[1] && (!told || (!round_now.is_last && told == round_now.stamp));
}

/* Notes that a page is read: of one that was told in this round that is not enough, and of none while a file is awaited. */
static uint8_t note_reading(uint8_t told, bool written)
{
	return written ? round_now.stamp : told == round_now.stamp || round_now.awaits ? told : 0;
}

static uint64_t address_of(size_t page)
{
	return window.start + page * PAGE;
}

/* Pages [first, end) of the window lie at `data` now. False if nobody listens. */
static bool look_at(size_t first, size_t end, const char *data)
{
	uint32_t pid = (uint32_t)window.copy->pid;
	bool missed = false; /* a page is another than it was, and the kernel still says that nobody has written it: something writes past it that we do not know */
	size_t begin = first;
	enum state before = UNCHANGED;
	for (size_t i = first; i <= end; i++) {
		enum state state = UNCHANGED;
		if (i < end) {
			bool was_known = window.hashes[i].words[1];
			state = compare(data + (i - first) * PAGE, &window.hashes[i]);
			missed |= window.plans[i] == READ && !round_now.is_last && was_known && state != UNCHANGED && window.copy->tracked && is_unwritten(window.copy->map, address_of(i));
		}
		if (i < end && state == before)
			continue;
		uint64_t size = (i - begin) * PAGE;
		const char *from = data + (begin - first) * PAGE;
		round_now.sent += before == CHANGED ? size : 0;
		if (before == CHANGED && !tell(PAGES, pid, address_of(begin), address_of(i), from, size, checksum(from, size)))
			return false;
		if (before == NOW_ZERO && !tell(ZEROS, pid, address_of(begin), address_of(i), NULL, 0, 0))
			return false;
		begin = i;
		before = state;
	}
	if (missed)
		compare_from_now_on();
	return true;
}

/* process_vm_readv(2): half of what /proc/PID/mem takes, which copies twice. How many bytes came. */
static long read_runs(const struct part *there, size_t runs, size_t size)
{
	struct part here = { (uint64_t)pages, size };
	return SYS(NR_process_vm_readv, window.copy->pid, &here, 1, there, runs, 0);
}

/*
 * Reads runs of pages that are to be read, one behind the other, and tells what is different. While the tree runs, memory may go away: then it has
 * changed, and the next round will see; nothing is known of it, also where the kernel has counted it as looked at.
 */
static bool copy_runs(const struct part *runs, size_t number, size_t size)
{
	round_now.looked_at += size;
	long got = read_runs(runs, number, size);
	for (size_t i = 0, at = 0; i < number; at += runs[i++].size) {
		size_t first = (runs[i].start - window.start) / PAGE, count = runs[i].size / PAGE;
		const char *data = pages + at;
		if (got < (long)(at + runs[i].size)) { /* it, or one before it: each by itself */
			if (!flush())
				return false;
			data = pages;
			if (read_runs(&runs[i], 1, runs[i].size) != (long)runs[i].size) {
				memset(window.hashes + first, 0, count * sizeof *window.hashes);
				if (round_now.is_last)
					return false;
				continue;
			}
		}
		if (!look_at(first, first + count, data))
			return false;
	}
	return flush();
}

/* What of the window is to be read, by pieces. */
static bool read_window(void)
{
	static struct part runs[PIECE_PAGES];
	size_t number = 0, size = 0;
	for (size_t i = 0; i < SAME_PAGES; i++) {
		if (window.plans[i] < READ)
			continue;
		if (number && runs[number - 1].start + runs[number - 1].size == address_of(i))
			runs[number - 1].size += PAGE;
		else
			runs[number++] = (struct part){ address_of(i), PAGE };
		size += PAGE;
		if (size < MOST_PIECE)
			continue;
		if (!copy_runs(runs, number, size))
			return false;
		number = size = 0;
	}
	return !number || copy_runs(runs, number, size);
}

/* In the last round: which pages there are, and that they are as they were sent, now or before. */
static bool tell_window(void)
{
	for (size_t i = 0, next; i < SAME_PAGES; i = next) {
		uint64_t check = 0;
		for (next = i; next < SAME_PAGES && window.plans[next] != ABSENT; next++)
			check = check_hashes(check, &window.hashes[next]);
		if (next > i && !tell(SAME, (uint32_t)window.copy->pid, address_of(i), address_of(next), NULL, 0, check))
			return false;
		next += next == i;
	}
	return flush();
}

static bool load_window(const struct copied *copy, uint64_t start)
{
	memset(&window, 0, sizeof window);
	window.copy = copy;
	window.start = start;
	return SYS(NR_pread64, known, window.hashes, sizeof window.hashes, place_of(copy, start)) >= 0 &&
	       SYS(NR_pread64, stamps, window.told, sizeof window.told, number_of(copy, start)) >= 0;
}

/* What was planned is done. False if nobody listens, what must be read cannot be, or there is no room. */
static bool finish_window(void)
{
	bool reads = false;
	for (size_t i = 0; i < SAME_PAGES && !reads; i++)
		reads = window.plans[i] >= READ;
	if (reads && !read_window())
		return false;
	if (reads && SYS(NR_pwrite64, known, window.hashes, sizeof window.hashes, place_of(window.copy, window.start)) != sizeof window.hashes)
		return false;
	if (reads && window.copy->tracked && SYS(NR_pwrite64, stamps, window.told, sizeof window.told, number_of(window.copy, window.start)) != sizeof window.told)
		return false;
	return !round_now.is_last || tell_window();
}

/* Plans for pages of the window. `written`: they may be others than they were. */
static void plan(uint64_t start, uint64_t end, bool written)
{
	for (size_t i = (start - window.start) / PAGE; i < (end - window.start) / PAGE; i++)
		if (window.copy->tracked && !written && is_known(&window.hashes[i], window.told[i])) {
			window.plans[i] = KNOWN;
		} else {
			window.plans[i] = written ? READ_WRITTEN : READ;
			window.told[i] = note_reading(window.told[i], written);
		}
}

bool copy_ranges(const struct copied *copy, const struct range *ranges, const bool *written, size_t number)
{
	bool is_open = false;
	for (size_t i = 0; i < number; i++)
		for (uint64_t at = ranges[i].start, next; at < ranges[i].end; at = next) {
			uint64_t start = at & -(uint64_t)MOST_SAME;
			next = ranges[i].end - start > MOST_SAME ? start + MOST_SAME : ranges[i].end;
			if ((!is_open || start != window.start) && ((is_open && !finish_window()) || !load_window(copy, start)))
				return false;
			is_open = true;
			plan(at, next, written[i]);
		}
	return !is_open || finish_window();
}
