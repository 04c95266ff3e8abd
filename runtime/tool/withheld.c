/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See withheld.h. */
#include "withheld.h"
#include "lines.h"
#include "proc.h"

enum {
	EAGER_MAPPING = 1 << 18, /* mappings up to this size are dumped */
	EAGER_HEAD = 1 << 15, EAGER_TAIL = 1 << 16, /* of the others these: headers of heaps, thread control blocks, the hottest of a stack */
	RED_ZONE = 4 * PAGE, EAGER_STACK = 1 << 16, /* around a stack pointer */
	MOST_EAGER = 16 << 20, SMALL_MAPPING = 1 << 16, /* beyond so many bytes dumped, only mappings up to this size are */
};

static void keep(struct withheld *withheld, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	if (withheld->count == withheld->room) {
		withheld->room = 2 * withheld->room + 64;
		struct kept *larger = allocate(withheld->room * sizeof *larger);
		if (withheld->count)
			memcpy(larger, withheld->items, withheld->count * sizeof *larger);
		withheld->items = larger;
	}
	withheld->items[withheld->count++] = (struct kept){ { start, end }, start };
}

/* "start-end perms offset device inode name" (proc(5)): false if it is no anonymous memory of the process alone. */
static bool parse_mapping(const char *line, struct range *range)
{
	uint64_t bounds[2];
	if (!take_bounds(&line, bounds))
		return false;
	*range = (struct range){ bounds[0], bounds[1] };
	if (line[0] != 'r' || line[1] != 'w' || line[3] != 'p')
		return false;
	for (int field = 0; field < 2; field++) { /* perms, offset */
		while (*line && *line != ' ')
			line++;
		line += *line == ' ';
	}
	static const char anonymous[] = "00:00 0";
	for (size_t i = 0; anonymous[i]; i++)
		if (line[i] != anonymous[i])
			return false;
	line += sizeof anonymous - 1;
	while (*line == ' ')
		line++;
	/* [vdso] and its like are the kernel's; names that a program gives look like [anon:...]. */
	return !*line || !memcmp(line, "[heap]", 6) || !memcmp(line, "[stack]", 7) || !memcmp(line, "[anon", 5);
}

static void withhold_mapping(struct withheld *withheld, struct range range)
{
	uint64_t size = range.end - range.start;
	if (size <= (uint64_t)(withheld->eager < MOST_EAGER ? EAGER_MAPPING : SMALL_MAPPING)) {
		withheld->eager += size;
		return;
	}
	withheld->eager += EAGER_HEAD + EAGER_TAIL;
	if (size > EAGER_HEAD + EAGER_TAIL)
		keep(withheld, range.start + EAGER_HEAD, range.end - EAGER_TAIL);
}

/* [start, end) is dumped after all. */
static void release(struct withheld *withheld, uint64_t start, uint64_t end)
{
	for (size_t i = 0, count = withheld->count; i < count; i++) {
		struct range *range = &withheld->items[i].range;
		if (range->end <= start || range->start >= end)
			continue;
		uint64_t behind = range->end;
		range->end = start > range->start ? start : range->start;
		keep(withheld, end, behind);
	}
}

static void release_stacks(struct withheld *withheld)
{
	struct numbers threads = threads_of(withheld->pid);
	for (size_t i = 0; i < threads.count; i++) {
		uint64_t sp;
		if (stack_of(withheld->pid, threads.items[i], &sp) && sp > RED_ZONE)
			release(withheld, (sp - RED_ZONE) & -(uint64_t)PAGE, (sp & -(uint64_t)PAGE) + EAGER_STACK);
	}
}

/* By address, as criu asks; a few hundred at most are out of order. */
static void sort(struct withheld *withheld)
{
	for (size_t i = 1; i < withheld->count; i++)
		for (size_t k = i; k && withheld->items[k].range.start < withheld->items[k - 1].range.start; k--) {
			struct kept item = withheld->items[k];
			withheld->items[k] = withheld->items[k - 1];
			withheld->items[k - 1] = item;
		}
	for (size_t i = 0; i < withheld->count; i++)
		withheld->items[i].asked = withheld->items[i].range.start;
}

/* Locked pages are to be there when the program goes on (mlock(2)): all of such a process is dumped. */
static void each_mapping(struct withheld *withheld, void (*visit)(struct withheld *withheld, struct range range))
{
	struct range range;
	struct text maps;
	if (status_number(withheld->pid, "VmLck") > 0 || !read_text(format("/proc/%d/maps", (long)withheld->pid), &maps))
		return;
	append(&maps, "", 1);
	for (char *at = maps.data, *line; (line = next_line(&at));)
		if (parse_mapping(line, &range))
			visit(withheld, range);
}

static void look_at(struct withheld *withheld)
{
	each_mapping(withheld, withhold_mapping);
	release_stacks(withheld);
	sort(withheld);
}

static size_t take_ranges(const struct withheld *withheld, struct range **ranges)
{
	*ranges = withheld->count ? allocate(withheld->count * sizeof **ranges) : NULL;
	size_t count = 0;
	for (size_t i = 0; i < withheld->count; i++)
		if (withheld->items[i].range.start < withheld->items[i].range.end)
			(*ranges)[count++] = withheld->items[i].range;
	return count;
}

size_t withheld_ranges(int pid, struct range **ranges)
{
	struct withheld withheld = { .pid = pid };
	look_at(&withheld);
	return take_ranges(&withheld, ranges);
}

static void keep_whole(struct withheld *withheld, struct range range)
{
	if (range.end - range.start > EAGER_HEAD + EAGER_TAIL)
		keep(withheld, range.start, range.end);
}

size_t large_mappings(int pid, struct range **ranges)
{
	struct withheld found = { .pid = pid };
	each_mapping(&found, keep_whole);
	return take_ranges(&found, ranges);
}

struct withheld *withheld_of_tree(int pid)
{
	struct numbers tree = tree_of(pid);
	struct withheld *all = NULL;
	for (size_t i = 0; i < tree.count; i++) {
		struct withheld *one = allocate(sizeof *one);
		*one = (struct withheld){ .pid = tree.items[i], .next = all };
		all = one;
		if (status_number(one->pid, "Seccomp") > 0)
			return NULL;
		look_at(one);
	}
	return all;
}
