/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The memory of a tree that runs, sent ahead in rounds (pre-copy): of each page a hash is kept, and only pages whose hash has changed are sent again. In the
 * last round the tree stands; then who holds it (hold.c) is told of each page that it has it as it is now. No kernel has to track what is written. What somebody
 * else has sent before, whose connection was lost, is known by its hashes as well: in the first round all is read, and only what is different is sent.
 */
#include "commands.h"
#include "direct.h"
#include "pages.h"
#include "proc.h"
#include "told.h"
#include "window.h"
#include "withhold.h"

enum { MOST_PROCESSES = 1024, ENDED = 0, BROKEN = 1 };

static struct copied copies[MOST_PROCESSES];
static size_t count;
static struct tracked tracked[MOST_TRACKED];
static size_t tracked_count;

static struct copied *find(int pid)
{
	for (size_t i = 0; i < count; i++)
		if (copies[i].pid == pid)
			return &copies[i];
	if (count == MOST_PROCESSES)
		return NULL;
	copies[count] = (struct copied){ pid, -1, count, NULL };
	for (size_t i = 0; i < tracked_count; i++)
		if (tracked[i].pid == pid)
			copies[count].tracked = &tracked[i];
	return &copies[count++];
}

void compare_from_now_on(void)
{
	for (size_t i = 0; i < count; i++)
		copies[i].tracked = NULL;
	for (; tracked_count; tracked_count--)
		SYS(NR_close, tracked[tracked_count - 1].faults);
}

static bool copy_range(const struct copied *copy, struct range range)
{
	static struct range present[MOST_REGIONS];
	static bool written[MOST_REGIONS];
	bool asks = copy->tracked != NULL;
	for (uint64_t at = range.start, walked; at < range.end; at = walked) {
		long used = asks ? tracked_pages(copy->map, at, range.end, !round_now.is_last, present, written, &walked) : -1;
		if (used < 0) {
			asks = false; /* what the kernel was about to tell of the rest it may have counted as looked at */
			used = present_pages(copy->map, at, range.end, present, &walked);
			memset(written, true, sizeof written);
		}
		if (used < 0 || !copy_ranges(copy, present, written, (size_t)used))
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
	size_t number = good && copy->tracked && !round_now.is_last ? track_memory(copy->tracked, copy->map, &ranges) : 0;
	for (size_t i = 0; i < number && !round_now.is_first; i++)
		forget_pages(copy, ranges[i]);
	number = good ? withheld_ranges(pid, &ranges) : 0;
	for (size_t i = 0; i < number && round_now.is_last && good; i++)
		good = tell(COVER, (uint32_t)pid, ranges[i].start, ranges[i].end, NULL, 0, 0);
	for (size_t i = 0; i < number && good; i++)
		good = copy_range(copy, ranges[i]);
	SYS(NR_close, copy->map);
	if (good || round_now.is_last)
		return good;
	good = !has_memory(pid, &again);
	SYS(NR_close, again);
	return good;
}

/* Memory may be shared between processes (vfork(2)), and a descriptor be another's by now: what is found in one is found in all. Direct reads: for good. */
static void look_for_reads(const struct numbers *tree)
{
	bool direct = false;
	round_now.awaits = false;
	for (size_t i = 0; tracked_count && i < tree->count; i++) {
		int pid = tree->items[i];
		direct |= reads_directly(pid) && state_of(pid, pid) != 0;
		round_now.awaits |= waits_for_file(pid);
	}
	if (direct)
		compare_from_now_on();
}

static bool copy_round(int root, const struct page_request *request)
{
	struct numbers tree = tree_of(root);
	round_now.is_last = request->end != 0;
	if (round_now.is_last && !tracked_count)
		give_way();
	round_now.looked_at = round_now.sent = 0;
	round_now.stamp = round_now.stamp % UINT8_MAX + 1;
	look_for_reads(&tree);
	for (size_t i = 0; i < tree.count; i++)
		if (!copy_process(tree.items[i]))
			return false;
	round_now.is_first = false;
	return tell(ROUND, (uint32_t)request->start, round_now.looked_at, round_now.sent, NULL, 0, round_now.is_last) && flush();
}

/* Of a process that is not of the tree, or not any more, nothing is noted. */
static bool take_held(const struct numbers *tree, const struct page_request *request, bool *ended)
{
	static struct hash hashes[SAME_PAGES];
	uint64_t size = request->end - request->start;
	const struct copied *copy = NULL;
	if (request->start >= request->end || (request->start | request->end) % PAGE || size > MOST_SAME)
		return false;
	size = size / PAGE * sizeof *hashes;
	*ended = !read_all(0, hashes, size);
	for (size_t i = 0; i < tree->count && !copy; i++)
		copy = tree->items[i] == (int)request->pid ? find((int)request->pid) : NULL;
	return *ended || !copy || know_pages(copy, request->start, hashes, size / sizeof *hashes);
}

int command_copy(const struct options *options)
{
	struct page_request request;
	bool ended = false;
	if (!know_nothing())
		return report_failure("system", "no file can be made in memory");
	tracked_count = track_tree(options->pid, tracked);
	struct numbers tree = tree_of(options->pid);
	round_now.is_first = true;
	while (!ended && next_request(&request)) {
		bool good = request.kind == TELL_HELD ? round_now.is_first && take_held(&tree, &request, &ended) : request.kind == ASK_ROUND && copy_round(options->pid, &request);
		if (!good) {
			static const char message[] = "transproc-stop copy: memory cannot be read, or the kernel does not tell which there is (PAGEMAP_SCAN, Linux 6.7)\n";
			(void)write_all(2, message, sizeof message - 1);
			return BROKEN;
		}
	}
	return ENDED;
}
