/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See pages.h. Whether a page is a file's is not asked: none is in what is withheld, and for the answer the kernel reads what it knows of each page. */
#include "pages.h"
#include "poll.h"

enum { LOOK = 1 /* PM_SCAN_WP_MATCHING */, MUST_TRACK = 2 /* PM_SCAN_CHECK_WPASYNC */ };
enum { IS_TRACKED = 1 /* PAGE_IS_WPALLOWED */, IS_WRITTEN = 2, IS_PRESENT = 8, IS_SWAPPED = 16, IS_ZERO = 32 /* PAGE_IS_..., linux/fs.h */ };

long present_pages(int map, uint64_t start, uint64_t end, struct range *ranges, uint64_t *walked)
{
	static struct region regions[MOST_REGIONS];
	struct scan scan = { .size = sizeof scan, .start = start, .end = end, .vec = (uint64_t)regions, .vec_count = MOST_REGIONS,
		.inverted = IS_ZERO, .mask = IS_ZERO, .any_of = IS_PRESENT | IS_SWAPPED, .wanted = IS_PRESENT };
	long got = SYS(NR_ioctl, map, PAGEMAP_SCAN, &scan), used = 0;
	if (got < 0 || scan.walk_end <= start)
		return -1;
	*walked = scan.walk_end < end ? scan.walk_end : end;
	for (long i = 0; i < got && regions[i].start < *walked; i++) { /* the kernel may have told of some beyond, when its own buffer was full once: these come again */
		uint64_t until = regions[i].end < *walked ? regions[i].end : *walked;
		if (used && ranges[used - 1].end == regions[i].start) /* neighbours differ in what we do not ask about */
			ranges[used - 1].end = until;
		else
			ranges[used++] = (struct range){ regions[i].start, until };
	}
	return used;
}

bool is_tracked(int map, uint64_t page)
{
	struct region region;
	struct scan scan = { .size = sizeof scan, .start = page, .end = page + PAGE, .vec = (uint64_t)&region, .vec_count = 1, .mask = IS_TRACKED, .wanted = IS_TRACKED };
	return SYS(NR_ioctl, map, PAGEMAP_SCAN, &scan) == 1;
}

bool is_unwritten(int map, uint64_t page)
{
	struct region region;
	struct scan scan = { .size = sizeof scan, .start = page, .end = page + PAGE, .vec = (uint64_t)&region, .vec_count = 1, .inverted = IS_WRITTEN,
		.mask = IS_TRACKED | IS_WRITTEN, .any_of = IS_PRESENT | IS_SWAPPED, .wanted = IS_PRESENT };
	return SYS(NR_ioctl, map, PAGEMAP_SCAN, &scan) == 1;
}

/* What the kernel has told of beyond `walked` it has looked at as well: it is taken now, and comes again as not written. */
long tracked_pages(int map, uint64_t start, uint64_t end, bool look, struct range *ranges, bool *written, uint64_t *walked)
{
	static struct region regions[MOST_REGIONS];
	struct scan scan = { .size = sizeof scan, .flags = MUST_TRACK | (look ? LOOK : 0), .start = start, .end = end, .vec = (uint64_t)regions,
		.vec_count = MOST_REGIONS, .inverted = IS_ZERO, .mask = IS_ZERO, .any_of = IS_PRESENT | IS_SWAPPED, .wanted = IS_WRITTEN };
	long got = SYS(NR_ioctl, map, PAGEMAP_SCAN, &scan);
	if (got < 0 || scan.walk_end <= start)
		return -1;
	*walked = scan.walk_end < end ? scan.walk_end : end;
	for (long i = 0; i < got; i++) {
		ranges[i] = (struct range){ regions[i].start, regions[i].end };
		written[i] = regions[i].categories & IS_WRITTEN;
	}
	return got;
}

bool has_memory(int pid, int *map)
{
	*map = open_file(format("/proc/%d/pagemap", (long)pid), O_RDONLY);
	return *map != -ESRCH && *map != -ENOENT;
}

void give_way(void)
{
	enum { THIS_PROCESS = 0, NICEST = 19 };
	SYS(NR_setpriority, THIS_PROCESS, 0, NICEST);
}

bool next_request(struct page_request *request)
{
	return may_read(0, 1) && read_all(0, request, sizeof *request);
}
