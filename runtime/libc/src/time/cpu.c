/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "lock.h"
#include "pthread_impl.h"
#include "syscall.h"
#include "cpu.h"

enum { PER_THREAD = 4, USER = 1, SCHEDULER = 2, SECOND = 1000000000 };

static volatile int children_lock[1];

static void dummy(void)
{
}
weak_alias(dummy, __tl_lock);
weak_alias(dummy, __tl_unlock);

static struct transproc_clocks *own_clocks(void)
{
	struct transproc_clocks *clocks = __transproc_args.clocks;
	if (!__transproc_args.moves || !clocks->pid) return 0;
	return clocks->pid == __syscall(SYS_getpid) ? clocks : 0;
}

const struct transproc_clocks *__transproc_process_clocks(void)
{
	return own_clocks();
}

const struct transproc_time *__transproc_thread_time(void)
{
	struct transproc_thread_clock *clock = &__transproc_thread_clock;
	return clock->tid && clock->tid == __pthread_self()->tid ? &clock->time : 0;
}

/* Of another thread of this process. */
static struct transproc_time time_of_thread(pid_t tid)
{
	struct transproc_time found = { 0 };
	pthread_t self = __pthread_self(), thread = self;
	sigset_t before;
	__block_app_sigs(&before);
	__tl_lock();
	do {
		struct transproc_thread_clock *clock = (void *)((char *)thread + __transproc_args.clocks->thread);
		if (thread->tid == tid && clock->tid == tid) found = clock->time;
		thread = thread->next;
	} while (thread != self);
	__tl_unlock();
	__restore_sigs(&before);
	return found;
}

static struct transproc_time time_of(clockid_t clock)
{
	pid_t id = clock < 0 ? ~(clock >> 3) : 0;
	if (clock == CLOCK_THREAD_CPUTIME_ID || (clock < 0 && clock & PER_THREAD)) {
		if (id && id != __pthread_self()->tid) return time_of_thread(id);
		const struct transproc_time *time = __transproc_thread_time();
		return time ? *time : (struct transproc_time){ 0 };
	}
	const struct transproc_clocks *clocks = own_clocks();
	return clocks && (!id || id == clocks->pid) ? clocks->process : (struct transproc_time){ 0 };
}

void __transproc_add_clock(clockid_t clock, struct timespec *time)
{
	if (!__transproc_args.moves) return;
	struct transproc_time more = time_of(clock);
	int kind = clock < 0 ? clock & 3 : SCHEDULER;
	uint64_t sum = time->tv_nsec;
	sum += kind == SCHEDULER ? more.total : kind == USER ? more.user : more.user + more.system;
	time->tv_sec += sum / SECOND;
	time->tv_nsec = sum % SECOND;
}

static void add(struct timeval *time, uint64_t nanoseconds)
{
	uint64_t sum = time->tv_usec + nanoseconds / 1000;
	time->tv_sec += sum / 1000000;
	time->tv_usec = sum % 1000000;
}

void __transproc_add_usage(const struct transproc_time *time, struct rusage *usage)
{
	if (!time) return;
	add(&usage->ru_utime, time->user);
	add(&usage->ru_stime, time->system);
}

void __transproc_reaped(pid_t child, struct rusage *usage)
{
	struct transproc_clocks *clocks = own_clocks();
	if (!clocks) return;
	LOCK(children_lock);
	for (size_t i = 0; i < TRANSPROC_CHILDREN; i++) {
		struct transproc_child *entry = &clocks->children[i];
		if (entry->pid != child) continue;
		if (usage) __transproc_add_usage(&entry->time, usage);
		clocks->waited.total += entry->time.total;
		clocks->waited.user += entry->time.user;
		clocks->waited.system += entry->time.system;
		memset(entry, 0, sizeof *entry);
	}
	UNLOCK(children_lock);
}
