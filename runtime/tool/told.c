/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See told.h. */
#include "told.h"

enum { MOST_TOLD = 256 };

static struct part parts[2 * MOST_TOLD]; /* of the stream: heads, and pages behind some of them */
static struct page_answer heads[MOST_TOLD];
static size_t part_count, head_count;

bool flush(void)
{
	for (size_t first = 0; first < part_count;) {
		long done = SYS(NR_writev, 1, &parts[first], part_count - first);
		if (done < 0 && done != -EINTR)
			return false;
		for (; done > 0 && first < part_count; first += !parts[first].size) {
			uint64_t taken = (uint64_t)done < parts[first].size ? (uint64_t)done : parts[first].size;
			parts[first].start += taken;
			parts[first].size -= taken;
			done -= (long)taken;
		}
	}
	part_count = head_count = 0;
	return true;
}

bool tell(enum answer_kind kind, uint32_t pid, uint64_t start, uint64_t end, const void *data, uint64_t size, uint64_t check)
{
	if (head_count == MOST_TOLD && !flush())
		return false;
	struct page_answer *head = &heads[head_count++];
	*head = (struct page_answer){ kind, pid, start, end, size, check };
	parts[part_count++] = (struct part){ (uint64_t)head, sizeof *head };
	if (size)
		parts[part_count++] = (struct part){ (uint64_t)data, size };
	return true;
}
