/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The memory of a tree that runs, sent ahead in rounds (pre-copy): of each page a hash is kept, and only pages whose hash has changed are sent again. In the
 * last round the tree stands; then who holds it (hold.c) is told of each page that it has it as it is now. No kernel has to track what is written.
 */
#include "commands.h"
#include "direct.h"
#include "pages.h"
#include "proc.h"
#include "track.h"
#include "withhold.h"

enum { MOST_PROCESSES = 1024, MFD_CLOEXEC = 1, ENDED = 0, BROKEN = 1 };

struct copied {
	int pid, map;
	const struct tracked *tracked; /* NULL: contents are compared */
};

static struct copied copies[MOST_PROCESSES];
static size_t count;
static int known; /* a file with a hash for each page */
static int stamps; /* one with a byte for each: in which round it was told as written, 0 once it was read in a later one */
static uint8_t stamp; /* of this round, never 0 */
static bool awaits; /* some read of a file was on its way when it began */
static bool is_last;
static uint64_t looked_at, sent;
static struct tracked tracked[MOST_TRACKED];
static size_t tracked_count;
static char pages[MOST_PIECE] __attribute__((aligned(PAGE)));

static bool tell(enum answer_kind kind, uint32_t pid, uint64_t start, uint64_t end, uint64_t size, uint64_t check)
{
	struct page_answer answer = { kind, pid, start, end, size, check };
	return write_all(1, (const char *)&answer, sizeof answer) == 0;
}

static struct copied *find(int pid)
{
	for (size_t i = 0; i < count; i++)
		if (copies[i].pid == pid)
			return &copies[i];
	if (count == MOST_PROCESSES)
		return NULL;
	copies[count] = (struct copied){ pid, -1, NULL };
	for (size_t i = 0; i < tracked_count; i++)
		if (tracked[i].pid == pid)
			copies[count].tracked = &tracked[i];
	return &copies[count++];
}

static void compare_from_now_on(void)
{
	for (size_t i = 0; i < count; i++)
		copies[i].tracked = NULL;
	for (; tracked_count; tracked_count--)
		SYS(NR_close, tracked[tracked_count - 1].faults);
}

/* --- pages --------------------------------------------------------------------------------------------------------- */

enum state { UNCHANGED, CHANGED, NOW_ZERO };

static enum state compare(const char *page, struct hash *before)
{
	struct hash hash = hash_page(page);
	if (hash.words[0] == before->words[0] && hash.words[1] == before->words[1])
		return UNCHANGED;
	*before = hash;
	return is_zero_page(page) ? NOW_ZERO : CHANGED;
}

static bool tell_run(const struct copied *copy, uint64_t start, size_t at, size_t end, enum state state, const struct hash *hashes)
{
	uint32_t pid = (uint32_t)copy->pid;
	uint64_t check = 0;
	if (state == CHANGED) {
		sent += end - at;
		return tell(PAGES, pid, start + at, start + end, end - at, checksum(pages + at, end - at)) && write_all(1, pages + at, end - at) == 0;
	}
	if (state == NOW_ZERO)
		return tell(ZEROS, pid, start + at, start + end, 0, 0);
	if (!is_last)
		return true;
	for (size_t i = at / PAGE; i < end / PAGE; i++)
		check = check_hashes(check, &hashes[i]);
	return tell(SAME, pid, start + at, start + end, 0, check);
}

/* process_vm_readv(2): half of what /proc/PID/mem takes, which copies twice. */
static bool read_pages(int pid, uint64_t start, size_t size)
{
	struct {
		uint64_t start, size;
	} here = { (uint64_t)pages, size }, there = { start, size };
	return SYS(NR_process_vm_readv, pid, &here, 1, &there, 1, 0) == (long)size;
}

static uint64_t number_of(const struct copied *copy, uint64_t address)
{
	return (uint64_t)(copy - copies) << 44 | address / PAGE;
}

static long place_of(const struct copied *copy, uint64_t address)
{
	return (long)(number_of(copy, address) * sizeof(struct hash));
}

static void forget(const struct copied *copy, struct range range)
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
	return hash->words[1] && (!told || (!is_last && told == stamp));
}

/* How many pages of [start, end), which were not written, are known, up to the first that is not, and their hashes; -1 if that cannot be read. */
static long count_known(const struct copied *copy, uint64_t start, uint64_t end, struct hash hashes[SAME_PAGES])
{
	static uint8_t told[SAME_PAGES];
	size_t most = (end - start) / PAGE < SAME_PAGES ? (end - start) / PAGE : SAME_PAGES, number = 0, until;
	for (until = most < PIECE_PAGES ? most : PIECE_PAGES; number < until; until = most) {
		size_t size = until - number;
		memset(hashes + number, 0, size * sizeof *hashes);
		memset(told + number, 0, size);
		if (SYS(NR_pread64, known, hashes + number, size * sizeof *hashes, place_of(copy, start + number * PAGE)) < 0 ||
		    SYS(NR_pread64, stamps, told + number, size, number_of(copy, start + number * PAGE)) < 0)
			return -1;
		while (number < until && is_known(&hashes[number], told[number]))
			number++;
		if (number < until)
			break;
	}
	return (long)number;
}

/* Notes that pages are read: of those that were told in this round that is not enough, and of none while a file is awaited. False if there is no room. */
static bool note_reading(uint8_t *told, size_t number, uint64_t place, bool written)
{
	bool differs = false;
	for (size_t i = 0; i < number; i++) {
		uint8_t next = written ? stamp : told[i] == stamp || awaits ? told[i] : 0;
		differs |= told[i] != next;
		told[i] = next;
	}
	return !differs || SYS(NR_pwrite64, stamps, told, number, place) == (long)number;
}

/*
 * While the tree runs, memory may go away: then it has changed, and the next round will see; nothing is known of it, also where the kernel
 * has counted it as looked at. `written`: it may be another than it was.
 */
static bool copy_piece(const struct copied *copy, uint64_t start, uint64_t end, bool written)
{
	static struct hash hashes[PIECE_PAGES];
	static enum state states[PIECE_PAGES];
	static uint8_t told[PIECE_PAGES];
	size_t size = end - start, bytes = size / PAGE * sizeof *hashes;
	long place = place_of(copy, start);
	memset(hashes, 0, sizeof hashes);
	memset(told, 0, sizeof told);
	if (SYS(NR_pread64, known, hashes, bytes, place) < 0 || SYS(NR_pread64, stamps, told, size / PAGE, number_of(copy, start)) < 0)
		return false;
	if (copy->tracked && !note_reading(told, size / PAGE, number_of(copy, start), written))
		return false;
	looked_at += size;
	if (!read_pages(copy->pid, start, size)) {
		memset(hashes, 0, sizeof hashes);
		return !is_last && SYS(NR_pwrite64, known, hashes, bytes, place) == (long)bytes;
	}
	bool missed = false; /* a page is another than it was, and the kernel still says that nobody has written it: something writes past it that we do not know */
	for (size_t i = 0; i < size / PAGE; i++) {
		bool was_known = hashes[i].words[1];
		states[i] = compare(pages + i * PAGE, &hashes[i]);
		missed |= !written && !is_last && was_known && states[i] != UNCHANGED && copy->tracked && is_unwritten(copy->map, start + i * PAGE);
	}
	if (missed)
		compare_from_now_on();
	for (size_t i = 0, next; i < size / PAGE; i = next) {
		for (next = i + 1; next < size / PAGE && states[next] == states[i]; next++)
			;
		if (!tell_run(copy, start, i * PAGE, next * PAGE, states[i], hashes))
			return false;
	}
	return SYS(NR_pwrite64, known, hashes, bytes, place) == (long)bytes;
}

static bool copy_part(const struct copied *copy, struct range part, bool written)
{
	static struct hash hashes[SAME_PAGES];
	for (uint64_t start = part.start, end; start < part.end; start = end) {
		long number = !written && copy->tracked ? count_known(copy, start, part.end, hashes) : 0;
		if (number < 0)
			return false;
		end = start + (uint64_t)number * PAGE;
		if (number && !tell_run(copy, start, 0, end - start, UNCHANGED, hashes))
			return false;
		if (number)
			continue;
		end = part.end - start > MOST_PIECE ? start + MOST_PIECE : part.end;
		if (!copy_piece(copy, start, end, written))
			return false;
	}
	return true;
}

static bool copy_range(const struct copied *copy, struct range range)
{
	static struct range present[MOST_REGIONS];
	static bool written[MOST_REGIONS];
	bool asks = copy->tracked != NULL;
	for (uint64_t at = range.start, walked; at < range.end; at = walked) {
		long used = asks ? tracked_pages(copy->map, at, range.end, !is_last, present, written, &walked) : -1;
		if (used < 0) {
			asks = false; /* what the kernel was about to tell of the rest it may have counted as looked at */
			used = present_pages(copy->map, at, range.end, present, &walked);
			memset(written, true, sizeof written);
		}
		if (used < 0)
			return false;
		for (long i = 0; i < used; i++)
			if (!copy_part(copy, present[i], written[i]))
				return false;
	}
	return true;
}

/* One that ends meanwhile has nothing to be copied. What there is no place for, behind many that have ended, goes when the tree stands. */
static bool copy_process(int pid)
{
	int again;
	struct copied *copy = find(pid);
	struct range *ranges;
	if (!copy || !has_memory(pid, &copy->map))
		return true;
	bool good = copy->map >= 0;
	size_t number = good && copy->tracked && !is_last ? track_memory(copy->tracked, copy->map, &ranges) : 0;
	for (size_t i = 0; i < number; i++)
		forget(copy, ranges[i]);
	number = good ? withheld_ranges(pid, &ranges) : 0;
	for (size_t i = 0; i < number && is_last && good; i++)
		good = tell(COVER, (uint32_t)pid, ranges[i].start, ranges[i].end, 0, 0);
	for (size_t i = 0; i < number && good; i++)
		good = copy_range(copy, ranges[i]);
	SYS(NR_close, copy->map);
	if (good || is_last)
		return good;
	good = !has_memory(pid, &again);
	SYS(NR_close, again);
	return good;
}

/* Memory may be shared between processes (vfork(2)), and a descriptor be another's by now: what is found in one is found in all. Direct reads: for good. */
static void look_for_reads(const struct numbers *tree)
{
	bool direct = false;
	awaits = false;
	for (size_t i = 0; tracked_count && i < tree->count; i++) {
		int pid = tree->items[i];
		direct |= reads_directly(pid) && state_of(pid, pid) != 0;
		awaits |= waits_for_file(pid);
	}
	if (direct)
		compare_from_now_on();
}

static bool copy_round(int root, const struct page_request *request)
{
	struct numbers tree = tree_of(root);
	is_last = request->end != 0;
	if (is_last && !tracked_count)
		give_way();
	looked_at = sent = 0;
	stamp = stamp % UINT8_MAX + 1;
	look_for_reads(&tree);
	for (size_t i = 0; i < tree.count; i++)
		if (!copy_process(tree.items[i]))
			return false;
	return tell(ROUND, (uint32_t)request->start, looked_at, sent, 0, is_last);
}

int command_copy(const struct options *options)
{
	struct page_request request;
	known = (int)SYS(NR_memfd_create, "hashes", MFD_CLOEXEC);
	stamps = (int)SYS(NR_memfd_create, "stamps", MFD_CLOEXEC);
	if (known < 0 || stamps < 0)
		return report_failure("system", "no file can be made in memory");
	tracked_count = track_tree(options->pid, tracked);
	while (next_request(&request))
		if (request.kind != ASK_ROUND || !copy_round(options->pid, &request)) {
			static const char message[] = "transproc-stop copy: memory cannot be read, or the kernel does not tell which there is (PAGEMAP_SCAN, Linux 6.7)\n";
			(void)write_all(2, message, sizeof message - 1);
			return BROKEN;
		}
	return ENDED;
}
