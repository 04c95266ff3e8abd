/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See clocks.h. */
#include "clocks.h"

enum { PPID = 4, CMINFLT = 11, UTIME = 14, STIME, CUTIME, CSTIME }; /* fields of /proc/PID/stat, proc_pid_stat(5) */

/* A field of a stat file; those before the name do not count here. */
static uint64_t field_of(const char *stat, int wanted)
{
	const char *after = NULL;
	uint64_t value = 0;
	for (const char *at = stat; at && *at; at++) /* the name may hold anything, so the last parenthesis counts */
		if (*at == ')')
			after = at;
	for (int field = 2; after && *after && field < wanted; after++)
		field += *after == ' ';
	for (; after && *after >= '0' && *after <= '9'; after++)
		value = 10 * value + (uint64_t)(*after - '0');
	return value;
}

/* All that the threads of a process have used, also those that have ended; 0 if the kernel does not tell. */
static long time_of_process(int pid)
{
	struct timespec time;
	long clock = ~(long)pid * 8 + 2; /* clock_getcpuclockid(3) */
	return SYS(NR_clock_gettime, clock, &time) < 0 ? 0 : time.seconds * 1000000000 + time.nanoseconds;
}

/* The first number of /proc/PID/task/TID/schedstat: nanoseconds on a processor. */
static long time_of_thread(int pid, int tid)
{
	const char *text = read_file(format("/proc/%d/task/%d/schedstat", (long)pid, (long)tid));
	long value = 0;
	for (; text && *text >= '0' && *text <= '9'; text++)
		value = 10 * value + (*text - '0');
	return value;
}

static void list_process(struct text *out, int pid)
{
	const char *stat = read_file(format("/proc/%d/stat", (long)pid));
	struct numbers threads = threads_of(pid);
	if (!stat)
		return;
	print(out, "process %d %d %d", (long)pid, (long)field_of(stat, PPID), time_of_process(pid));
	for (int field = UTIME; field <= CSTIME; field++)
		print(out, " %d", (long)field_of(stat, field));
	print(out, " %d\n", (long)field_of(stat, CMINFLT));
	for (size_t i = 0; i < threads.count; i++) {
		long tid = threads.items[i];
		const char *own = read_file(format("/proc/%d/task/%d/stat", (long)pid, tid));
		print(out, "thread %d %d %d %d\n", tid, time_of_thread(pid, (int)tid), (long)field_of(own, UTIME), (long)field_of(own, STIME));
	}
}

long list_clocks(int pid, const char *path)
{
	struct numbers tree = tree_of(pid);
	struct text text = { 0 };
	for (size_t i = 0; i < tree.count; i++) {
		struct numbers zombies = zombies_of(tree.items[i]);
		list_process(&text, tree.items[i]);
		for (size_t k = 0; k < zombies.count; k++)
			list_process(&text, zombies.items[k]);
	}
	return write_file(path, &text);
}
