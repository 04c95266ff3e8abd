/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include "pthread_impl.h"
#include "cpu.h"

enum { SECOND = 1000000000 };

/* The clock of a timer, which only the kernel knows (proc_pid_timers(5)); -1 if it does not tell. */
static clockid_t clock_of(long timer)
{
	char line[128];
	long id = -1;
	int clock, found = -1;
	FILE *timers = fopen("/proc/self/timers", "re");
	if (!timers) return -1;
	while (found == -1 && fgets(line, sizeof line, timers)) {
		sscanf(line, "ID: %ld", &id);
		if (id == timer && sscanf(line, "ClockID: %d", &clock) == 1) found = clock;
	}
	fclose(timers);
	return found;
}

/* From now; what has passed already comes at once. */
static struct timespec from_now(clockid_t clock, struct timespec time)
{
	struct timespec now;
	__clock_gettime(clock, &now);
	time.tv_sec -= now.tv_sec;
	time.tv_nsec -= now.tv_nsec;
	if (time.tv_nsec < 0) {
		time.tv_nsec += SECOND;
		time.tv_sec--;
	}
	if (time.tv_sec < 0 || !(time.tv_sec || time.tv_nsec)) time = (struct timespec){ .tv_nsec = 1 };
	return time;
}

/* The time of a processor clock at which a timer shall expire is another for the kernel of the node that the process has moved to. */
int timer_settime(timer_t t, int flags, const struct itimerspec *restrict val, struct itimerspec *restrict old)
{
	struct itimerspec relative = *val;
	if ((intptr_t)t < 0) { /* as timer_create makes them for threads */
		pthread_t td = (void *)((uintptr_t)t << 1);
		t = (void *)(uintptr_t)(td->timer_id & INT_MAX);
	}
	int is_on = val->it_value.tv_sec > 0 || (!val->it_value.tv_sec && val->it_value.tv_nsec > 0);
	if (flags & TIMER_ABSTIME && __transproc_args.moves && is_on && val->it_value.tv_nsec < SECOND) {
		clockid_t clock = clock_of((long)t);
		if (clock != -1 && __is_cpu_clock(clock)) {
			relative.it_value = from_now(clock, val->it_value);
			flags &= ~TIMER_ABSTIME;
		}
	}
	return syscall(SYS_timer_settime, t, flags, &relative, old);
}
