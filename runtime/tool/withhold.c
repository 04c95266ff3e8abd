/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See withhold.h. */
#include "withhold.h"
#include "anchor.h"
#include "answer.h"
#include "poll.h"
#include "proc.h"
#include "watch.h"

enum { SET_FILTER = 1, NEW_LISTENER = 8, ALLOW = 0x7fff0000, NOTIFY = 0x7fc00000, ANSWERS = 2 /* SECCOMP_ADDFD_FLAG_SEND */, LOAD = 0x20, JUMP_IF = 0x15, RETURN = 6, REAL_ANSWER = 1 };
#define NOTIFY_RECEIVE 0xc0502100u
#define NOTIFY_SEND 0xc0182101u
#define NOTIFY_GIVE 0x40182103u
enum { FAILED = 125, BATCH = 512 };

struct filter_step {
	uint16_t code;
	uint8_t yes, no;
	uint32_t value;
};

struct filter {
	uint16_t count;
	const struct filter_step *steps;
};

/* linux/seccomp.h */
struct notice {
	uint64_t id;
	uint32_t pid, flags;
	int32_t call;
	uint32_t architecture;
	uint64_t ip, arguments[6];
};
_Static_assert(sizeof(struct notice) == 80, "struct seccomp_notif");

/* A descriptor of ours becomes the result of a call (struct seccomp_notif_addfd). */
struct gift {
	uint64_t id;
	uint32_t flags, fd, number, close_on_exec;
};

struct reply {
	uint64_t id;
	int64_t value;
	int32_t error;
	uint32_t flags;
};

/* --- criu's questions ---------------------------------------------------------------------------------------------- */

struct question {
	int memory /* criu's */, pagemap;
	struct scan scan;
	uint64_t count; /* regions that were told */
};

/* The real answer for a part; false at an error. Moves on as far as there is room for regions. */
static bool tell_part(struct question *question, uint64_t *at, uint64_t end)
{
	static struct region regions[BATCH];
	while (*at < end && question->count < question->scan.vec_count) {
		uint64_t room = question->scan.vec_count - question->count;
		struct scan scan = question->scan;
		scan.start = *at;
		scan.end = end;
		scan.walk_end = 0;
		scan.vec = (uint64_t)regions;
		scan.vec_count = room < BATCH ? room : BATCH;
		long got = SYS(NR_ioctl, question->pagemap, PAGEMAP_SCAN, &scan);
		if (got < 0 || scan.walk_end <= *at)
			return false;
		long size = got * (long)sizeof *regions, place = (long)(question->scan.vec + question->count * sizeof *regions);
		if (size && SYS(NR_pwrite64, question->memory, regions, size, place) != size)
			return false;
		question->count += (uint64_t)got;
		*at = scan.walk_end;
	}
	return true;
}

/* The answer without what is withheld, in criu's memory; the number of regions, or -1. */
static int64_t answer(struct question *question, struct withheld *withheld, uint64_t place)
{
	uint64_t at = question->scan.start, end = question->scan.end;
	for (size_t i = 0; i < withheld->count && at < end && question->count < question->scan.vec_count; i++) {
		struct kept *kept = &withheld->items[i];
		if (kept->range.end <= at || kept->range.start >= end)
			continue;
		if (kept->range.start > at && !tell_part(question, &at, kept->range.start))
			return -1;
		if (at < kept->range.start)
			break; /* no more room */
		at = kept->range.end < end ? kept->range.end : end;
		if (kept->asked < at)
			kept->asked = at;
	}
	if (!tell_part(question, &at, end))
		return -1;
	long where = (long)(place + offsetof(struct scan, walk_end));
	return SYS(NR_pwrite64, question->memory, &at, sizeof at, where) == sizeof at ? (int64_t)question->count : -1;
}

/* Whose file of /proc, or directory there, is open at a descriptor of criu's; 0 if it is none. */
static int owner_of(uint32_t criu, uint64_t fd)
{
	static char link[64];
	long size = SYS(NR_readlinkat, AT_FDCWD, format("/proc/%d/fd/%d", (long)criu, (long)fd), link, sizeof link - 1);
	uint64_t pid = 0;
	if (size < 7 || memcmp(link, "/proc/", 6))
		return 0;
	link[size] = 0;
	char *number = link + 6; /* behind /proc/ */
	for (char *c = number; *c; c++)
		if (*c == '/')
			*c = 0;
	return parse_number(number, &pid) ? (int)pid : 0;
}

/* criu opens smaps of a process, beside its directory in /proc: what was told of that instead, if it is true still. */
static bool give_mappings(int listener, const struct notice *notice, int memory, int owner, const char *mappings)
{
	static const char name[] = "smaps";
	char path[sizeof name] = { 0 };
	if (notice->call != NR_openat || SYS(NR_pread64, memory, path, sizeof path, notice->arguments[1]) != sizeof path || memcmp(path, name, sizeof name))
		return false;
	int fd = open_watched(mappings, owner);
	struct gift gift = { .id = notice->id, .flags = ANSWERS, .fd = (uint32_t)fd };
	bool given = fd >= 0 && SYS(NR_ioctl, listener, NOTIFY_GIVE, &gift) >= 0;
	SYS(NR_close, fd);
	return given;
}

static void take_question(int listener, struct withheld *all, const char *mappings)
{
	struct notice notice = { 0 };
	struct scan scan;
	if (SYS(NR_ioctl, listener, NOTIFY_RECEIVE, &notice) < 0)
		return;
	struct reply reply = { .id = notice.id, .flags = REAL_ANSWER };
	int memory = open_file(format("/proc/%d/mem", (long)notice.pid), O_RDWR), owner = owner_of(notice.pid, notice.arguments[0]);
	struct withheld *withheld = all;
	while (withheld && withheld->pid != owner)
		withheld = withheld->next;
	if (withheld && mappings && give_mappings(listener, &notice, memory, owner, mappings)) {
		SYS(NR_close, memory);
		return;
	}
	if (withheld && notice.call == NR_ioctl && SYS(NR_pread64, memory, &scan, sizeof scan, notice.arguments[2]) == sizeof scan && scan.size == sizeof scan && scan.start < scan.end) {
		long criu = SYS(NR_pidfd_open, notice.pid, 0), pagemap = SYS(NR_pidfd_getfd, criu, notice.arguments[0], 0); /* a child of ours, where criu is a script */
		struct question question = { memory, (int)pagemap, scan, 0 };
		int64_t count = pagemap < 0 ? -1 : answer(&question, withheld, notice.arguments[2]);
		reply = (struct reply){ .id = notice.id, .value = count < 0 ? 0 : count, .error = count < 0 ? -EIO : 0 };
		SYS(NR_close, pagemap);
		SYS(NR_close, criu);
	}
	SYS(NR_close, memory);
	SYS(NR_ioctl, listener, NOTIFY_SEND, &reply);
}

/* --- criu ---------------------------------------------------------------------------------------------------------- */

/* Of files that are opened those beside a directory, and not as most are (O_CLOEXEC). */
static int install_filter(bool mappings)
{
	struct filter_step steps[] = {
		{ LOAD, 0, 0, 0 /* the call's number */ }, { JUMP_IF, 0, 2, NR_ioctl }, { LOAD, 0, 0, 24 /* args[1], the low half */ }, { JUMP_IF, 5, 6, PAGEMAP_SCAN },
		{ JUMP_IF, 0, 5, NR_openat }, { LOAD, 0, 0, 16 /* args[0] */ }, { JUMP_IF, 3, 0, (uint32_t)AT_FDCWD },
		{ LOAD, 0, 0, 32 /* args[2] */ }, { JUMP_IF, 0, 1, O_RDONLY }, { RETURN, 0, 0, NOTIFY }, { RETURN, 0, 0, ALLOW } };
	const struct filter filter = { sizeof steps / sizeof *steps, steps };
	if (!mappings)
		steps[4].yes = 5;
	return (int)SYS(NR_seccomp, SET_FILTER, NEW_LISTENER, &filter);
}

/* In the child: tells its listener's number, and becomes criu when the parent has a copy. */
static _Noreturn void become_watched(const struct launch *criu, bool mappings, int tell, int go)
{
	int listener = install_filter(mappings);
	char token;
	if (write_all(tell, (const char *)&listener, sizeof listener) < 0 || SYS(NR_read, go, &token, 1) != 1)
		leave(FAILED);
	anchor_descriptors();
	long result = execute(criu);
	(void)report_failure("system", format("%s: cannot be executed: errno %d", criu->argv[0], -result));
	leave(FAILED);
}

static long write_withheld(const struct withheld *all, const char *path)
{
	struct text text = { 0 };
	for (; all; all = all->next)
		for (size_t i = 0; i < all->count; i++) {
			const struct kept *kept = &all->items[i];
			if (kept->asked > kept->range.start && kept->asked < kept->range.end)
				return -EIO; /* criu has seen one part, and not asked for the other */
			if (kept->asked == kept->range.end && kept->range.start < kept->range.end)
				print(&text, "%d %x %x\n", (long)all->pid, kept->range.start, kept->range.end);
		}
	return write_file(path, &text);
}

static int await_criu(int listener, int process, int pid, struct withheld *all, const char *mappings)
{
	struct poll polls[2] = { { process, POLLIN, 0 }, { listener, POLLIN, 0 } };
	int status = 0;
	do {
		polls[0].found = polls[1].found = 0;
		poll_for(polls, listener < 0 ? 1 : 2, -1);
		if (polls[1].found & POLLIN)
			take_question(listener, all, mappings);
	} while (!polls[0].found);
	SYS(NR_wait4, pid, &status, WALL, 0);
	return exit_status(status);
}

long dump_withholding(const struct launch *criu, int pid, const char *path, const char *mappings)
{
	int tell[2], go[2], number = -1;
	struct withheld *all = withheld_of_tree(pid);
	if (SYS(NR_pipe2, tell, O_CLOEXEC) < 0 || SYS(NR_pipe2, go, O_CLOEXEC) < 0)
		return -ENOMEM;
	long child = spawn();
	if (child == 0) {
		SYS(NR_close, go[1]);
		become_watched(criu, mappings != NULL, tell[1], go[0]);
	}
	SYS(NR_close, tell[1]);
	if (child < 0 || SYS(NR_read, tell[0], &number, sizeof number) != sizeof number)
		return child < 0 ? child : -EIO;
	long process = SYS(NR_pidfd_open, child, 0), listener = number < 0 ? -1 : SYS(NR_pidfd_getfd, process, number, 0);
	if (write_all(go[1], "", 1) < 0)
		return -EIO;
	long status = await_criu((int)listener, (int)process, (int)child, all, mappings);
	long written = status ? 0 : write_withheld(all, path);
	return written < 0 ? written : status;
}
