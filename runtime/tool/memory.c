/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See base.h. */
#include "base.h"

enum { PROT_READ_WRITE = 3, MAP_SHARED_ANONYMOUS = 0x21, MAP_PRIVATE_ANONYMOUS = 0x22, CHUNK = 1 << 20 };
static const size_t most = 1ul << 46; /* no address space has room for more */

static _Noreturn void give_up(void)
{
	static const char message[] = "{\"ok\": false, \"error\": \"system\", \"message\": \"no memory\"}\n";
	(void)write_all(1, message, sizeof message - 1); /* the status says it as well */
	leave(1); /* as if killed: see pause.c for what that means for a program with breakpoints */
}

static char *chunk;
static size_t room;
static int kind = MAP_PRIVATE_ANONYMOUS;

void share_memory(bool shared)
{
	kind = shared ? MAP_SHARED_ANONYMOUS : MAP_PRIVATE_ANONYMOUS;
	room = 0;
}

void *allocate(size_t size)
{
	if (size > most)
		give_up();
	size = (size + 15) & ~(size_t)15;
	if (size > room) {
		size_t wanted = size > CHUNK ? size : CHUNK;
		long got = SYS(NR_mmap, 0, wanted, PROT_READ_WRITE, kind, -1, 0);
		if (got < 0 && got > -4096)
			give_up();
		if (wanted > CHUNK)
			return (void *)got;
		chunk = (char *)got;
		room = wanted;
	}
	void *result = chunk;
	chunk += size;
	room -= size;
	return result;
}
