/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The memory of a tree that runs, sent ahead in rounds (pre-copy): of each page a hash is kept, and only pages whose hash has changed are sent again. In the
 * last round the tree stands; then who holds it (hold.c) is told of each page that it has it as it is now. No kernel has to track what is written.
 */
#include "commands.h"
#include "pages.h"
#include "proc.h"
#include "withhold.h"

enum { MOST_PROCESSES = 1024, MFD_CLOEXEC = 1, ENDED = 0, BROKEN = 1 };

struct copied {
	int pid, map;
};

static struct copied copies[MOST_PROCESSES];
static size_t count;
static int known; /* a file with a hash for each page */
static bool is_last;
static uint64_t looked_at, sent;
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
	copies[count] = (struct copied){ pid, -1 };
	return &copies[count++];
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

/* While the tree runs, memory may go away: then it has changed, and the next round will see. */
static bool copy_piece(const struct copied *copy, uint64_t start, uint64_t end)
{
	static struct hash hashes[PIECE_PAGES];
	static enum state states[PIECE_PAGES];
	size_t size = end - start, bytes = size / PAGE * sizeof *hashes;
	long place = (long)((uint64_t)(copy - copies) << 48 | start / PAGE * sizeof *hashes);
	if (!read_pages(copy->pid, start, size))
		return !is_last;
	memset(hashes, 0, sizeof hashes);
	if (SYS(NR_pread64, known, hashes, bytes, place) < 0)
		return false;
	for (size_t i = 0; i < size / PAGE; i++)
		states[i] = compare(pages + i * PAGE, &hashes[i]);
	for (size_t i = 0, next; i < size / PAGE; i = next) {
		for (next = i + 1; next < size / PAGE && states[next] == states[i]; next++)
			;
		if (!tell_run(copy, start, i * PAGE, next * PAGE, states[i], hashes))
			return false;
	}
	looked_at += size;
	return SYS(NR_pwrite64, known, hashes, bytes, place) == (long)bytes;
}

static bool copy_range(const struct copied *copy, struct range range)
{
	static struct range present[MOST_REGIONS];
	for (uint64_t at = range.start, walked; at < range.end; at = walked) {
		long used = present_pages(copy->map, at, range.end, present, &walked);
		if (used < 0)
			return false;
		for (long i = 0; i < used; i++)
			for (uint64_t start = present[i].start, end; start < present[i].end; start = end) {
				end = present[i].end - start > MOST_PIECE ? start + MOST_PIECE : present[i].end;
				if (!copy_piece(copy, start, end))
					return false;
			}
	}
	return true;
}

/* Opens what the kernel tells of a process's pages; one that ends has no memory any more, even before it is a zombie. */
static bool has_memory(int pid, int *map)
{
	*map = open_file(format("/proc/%d/pagemap", (long)pid), O_RDONLY);
	return *map != -ESRCH && *map != -ENOENT;
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
	size_t number = good ? withheld_ranges(pid, &ranges) : 0;
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

static bool copy_round(int root, const struct page_request *request)
{
	struct numbers tree = tree_of(root);
	is_last = request->end != 0;
	if (is_last)
		give_way();
	looked_at = sent = 0;
	for (size_t i = 0; i < tree.count; i++)
		if (!copy_process(tree.items[i]))
			return false;
	return tell(ROUND, (uint32_t)request->start, looked_at, sent, 0, is_last);
}

int command_copy(const struct options *options)
{
	struct page_request request;
	known = (int)SYS(NR_memfd_create, "hashes", MFD_CLOEXEC);
	if (known < 0)
		return report_failure("system", "no file can be made in memory");
	while (next_request(&request))
		if (request.kind != ASK_ROUND || !copy_round(options->pid, &request)) {
			static const char message[] = "transproc-stop copy: memory cannot be read, or the kernel does not tell which there is (PAGEMAP_SCAN, Linux 6.7)\n";
			(void)write_all(2, message, sizeof message - 1);
			return BROKEN;
		}
	return ENDED;
}
