/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See direct.h. */
#include "direct.h"

struct descriptors {
	int pid;
	bool direct;
};

/* "pos:\t0\nflags:\t0140000\n..." (proc(5)), the flags in octal. One that was closed meanwhile has no flags. */
static void look_at_flags(void *context, const char *name)
{
	static const char field[] = "flags:\t";
	struct descriptors *descriptors = context;
	char *text = read_file(format("/proc/%d/fdinfo/%s", (long)descriptors->pid, name));
	for (; text && *text; text++)
		if (!memcmp(text, field, sizeof field - 1)) {
			uint64_t flags = 0;
			for (text += sizeof field - 1; *text >= '0' && *text <= '7'; text++)
				flags = flags << 3 | (uint64_t)(*text - '0');
			descriptors->direct |= (flags & O_DIRECT) != 0;
			return;
		}
}

bool reads_directly(int pid)
{
	static const char ring[] = "/[aio]"; /* the mapping that each context has */
	struct descriptors descriptors = { pid, false };
	struct text maps = { 0 };
	if (each_entry(format("/proc/%d/fdinfo", (long)pid), look_at_flags, &descriptors) < 0 || !read_text(format("/proc/%d/maps", (long)pid), &maps))
		return true;
	for (size_t i = 0; i + sizeof ring - 1 <= maps.size && !descriptors.direct; i++)
		descriptors.direct = !memcmp(maps.data + i, ring, sizeof ring - 1);
	return descriptors.direct;
}

/* Sockets, pipes and terminals are copied from. */
static bool may_pin(int pid, uint64_t descriptor)
{
	static const char *const copied[] = { "socket:[", "pipe:[", "anon_inode:", "/dev/pts/", "/dev/tty", "/dev/null" };
	char is[16] = { 0 };
	if (SYS(NR_readlinkat, AT_FDCWD, format("/proc/%d/fd/%d", (long)pid, (long)descriptor), is, sizeof is - 1) < 0)
		return true;
	for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
		if (!memcmp(is, copied[i], strlen(copied[i])))
			return false;
	return true;
}

bool waits_for_file(int pid)
{
	static const uint64_t reads[] = { NR_read, NR_readv, NR_pread64, NR_preadv, NR_preadv2 };
	struct numbers threads = threads_of(pid);
	for (size_t i = 0; i < threads.count; i++) {
		uint64_t call, descriptor;
		if (!call_of(pid, threads.items[i], &call, &descriptor))
			continue;
		for (size_t k = 0; k < sizeof reads / sizeof *reads; k++)
			if (call == reads[k] && may_pin(pid, descriptor))
				return true;
	}
	return false;
}
