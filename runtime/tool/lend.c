/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The pages of a stopped tree, for its copy elsewhere: see pages.h. Nothing is kept here, so it may be ended and begun again at any time. */
#include "commands.h"
#include "pages.h"
#include "proc.h"

enum { MOST_PROCESSES = 1024, ENDED = 0, BROKEN = 1 };

struct lender {
	int pid, memory, map;
};

static struct lender lenders[MOST_PROCESSES];
static size_t count;
static char pages[MOST_PIECE] __attribute__((aligned(PAGE)));

static bool add_lender(int pid)
{
	struct lender lender = { .pid = pid };
	if (!has_memory(pid, &lender.map))
		return true;
	lender.memory = open_file(format("/proc/%d/mem", (long)pid), O_RDONLY);
	if (count == MOST_PROCESSES || lender.memory < 0 || lender.map < 0)
		return false;
	lenders[count++] = lender;
	return true;
}

static const struct lender *find(uint32_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (lenders[i].pid == (int)pid)
			return &lenders[i];
	return NULL;
}

static bool give(enum answer_kind kind, uint32_t pid, uint64_t start, uint64_t end, const void *data, size_t size)
{
	struct page_answer answer = { kind, pid, start, end, size, checksum(data, size) };
	return write_all(1, (const char *)&answer, sizeof answer) == 0 && write_all(1, data, size) == 0;
}

static bool give_pages(const struct lender *lender, uint64_t start, uint64_t end)
{
	size_t size = end - start;
	if (size > MOST_PIECE || SYS(NR_pread64, lender->memory, pages, size, start) != (long)size)
		return false;
	for (size_t at = 0, next; at < size; at = next) {
		bool zero = is_zero_page(pages + at);
		for (next = at + PAGE; next < size && is_zero_page(pages + next) == zero; next += PAGE)
			;
		if (!give(zero ? ZEROS : PAGES, (uint32_t)lender->pid, start + at, start + next, pages + at, zero ? 0 : next - at))
			return false;
	}
	return true;
}

static bool give_map(const struct lender *lender, uint64_t start, uint64_t end)
{
	static struct range ranges[MOST_REGIONS];
	uint64_t walked;
	long used = present_pages(lender->map, start, end, ranges, &walked);
	return used >= 0 && give(MAP, (uint32_t)lender->pid, start, walked, ranges, (size_t)used * sizeof *ranges);
}

static bool serve_request(const struct page_request *request)
{
	const struct lender *lender = find(request->pid);
	if (!lender || request->start >= request->end || (request->start | request->end) % PAGE)
		return false;
	return request->kind == ASK_PAGES ? give_pages(lender, request->start, request->end)
	     : request->kind == ASK_MAP	  && give_map(lender, request->start, request->end);
}

/* A process of the tree that ends, or has ended, owes nothing. */
int command_lend(const struct options *options)
{
	struct numbers tree = tree_of(options->pid);
	struct page_request request;
	for (size_t i = 0; i < tree.count; i++)
		if (!add_lender(tree.items[i]))
			return report_failure("system", format("process %d: its memory cannot be read", (long)tree.items[i]));
	while (next_request(&request))
		if (!serve_request(&request)) {
			static const char message[] = "transproc-stop lend: a request cannot be met\n";
			(void)write_all(2, message, sizeof message - 1);
			return BROKEN;
		}
	return tree.count ? ENDED : BROKEN;
}
