/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See left.h. */
#include "left.h"
#include "borrow.h"
#include "proc.h"
#include "sockets.h"

static void add_descriptor(void *context, const char *name)
{
	uint64_t number;
	if (parse_number(name, &number) && number < shared->high) /* others are those of `arm` */
		add_number(context, (int)number);
}

static bool is_noted(int fd)
{
	const int noted[] = { 0, 1, 2, shared->lock, shared->listener, shared->link_listener, shared->criu, shared->link[0], shared->link[1], shared->link[2], shared->store, shared->holder };
	for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
		if (noted[i] == fd)
			return true;
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].faults == fd || shared->spaces[i].process == fd)
			return true;
	return false;
}

static struct numbers left(void)
{
	struct numbers open = { 0 }, found = { 0 };
	each_entry("/proc/self/fd", add_descriptor, &open);
	for (size_t i = 0; i < open.count; i++)
		if (!is_noted(open.items[i]))
			add_number(&found, open.items[i]);
	return found;
}

static const char *path_of(int fd) { return format("/proc/self/fd/%d", (long)fd); }

int find_userfault(void)
{
	struct numbers found = left();
	for (size_t i = 0; i < found.count; i++)
		if (is_userfault(path_of(found.items[i])))
			return found.items[i];
	return -1;
}

int find_connection(const char *name)
{
	struct numbers found = left();
	for (size_t i = 0; i < found.count; i++)
		if (is_accepted_at(found.items[i], name))
			return found.items[i];
	return -1;
}

void close_left(int but, const char *name)
{
	struct numbers found = left();
	for (size_t i = 0; i < found.count; i++)
		if (found.items[i] != but && !is_userfault(path_of(found.items[i])) && !is_accepted_at(found.items[i], name))
			SYS(NR_close, found.items[i]);
}
