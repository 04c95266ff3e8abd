/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See track.h. */
#include "track.h"
#include "guard.h"
#include "remote.h"
#include "withhold.h"

enum { STOP_TIME = 1000 /* ms */, ATTEMPTS = 8, ATTEMPT_PAUSE = 3, USER_MODE_ONLY = 1, API_NAME = 0xaa };
enum { REPORTS_WRITES = 1 << 0, REPORTS_UNPOPULATED = 1 << 13, ASYNCHRONOUS = 1 << 15, MODE_WRITES = 1 << 1 }; /* linux/userfaultfd.h */
#define USERFAULT_API 0xc018aa3fu
#define USERFAULT_REGISTER 0xc020aa00u

/* Shared with whoever traces the tree, who ends before the next pause begins. */
struct tracking {
	struct session session;
	size_t count;
	struct tracked items[MOST_TRACKED];
};

static int open_in(struct session *session, const struct process *process, int tid)
{
	uint64_t trap = trap_of(process->space->index);
	const uint64_t flags[4] = { O_CLOEXEC | USER_MODE_ONLY };
	long number, closed, taken = -1;
	if (call_remotely(tid, trap, NR_userfaultfd, flags, &session->call, &number) != 0 || number < 0)
		return -1;
	int handle = (int)SYS(NR_pidfd_open, process->pid, 0);
	if (handle >= 0)
		taken = SYS(NR_pidfd_getfd, handle, number, 0);
	const uint64_t what[4] = { (uint64_t)number };
	call_remotely(tid, trap, NR_close, what, &session->call, &closed);
	SYS(NR_close, handle);
	return (int)taken;
}

static void add_descriptor(void *context, const char *name)
{
	uint64_t number;
	if (parse_number(name, &number) && number <= INT32_MAX)
		add_number(context, (int)number);
}

void close_tracked(int pid, int tid, const struct index *index)
{
	struct numbers open = { 0 };
	struct call call = { 0 };
	long closed;
	each_entry(format("/proc/%d/fd", (long)pid), add_descriptor, &open);
	for (size_t i = 0; i < open.count; i++) {
		const uint64_t what[4] = { (uint64_t)open.items[i] };
		if (is_userfault(format("/proc/%d/fd/%d", (long)pid, (long)open.items[i])))
			call_remotely(tid, trap_of(index), NR_close, what, &call, &closed);
	}
}

static bool is_known(const struct tracking *tracking, int pid)
{
	for (size_t i = 0; i < tracking->count; i++)
		if (tracking->items[i].pid == pid)
			return true;
	return false;
}

/* False if one of its threads may stand better later. */
static bool take_process(struct tracking *tracking, struct process *process)
{
	struct session *session = &tracking->session;
	if (process->gone || process->borrows || is_known(tracking, process->pid) || tracking->count == MOST_TRACKED)
		return true;
	const struct thread *thread = caller(session, process);
	if (!thread)
		return false;
	if (status_number(thread->tid, "Seccomp") > 0)
		return true; /* a filter may end whoever makes a call that it does not know */
	if (!guard_process(session, process) || !process->guarded)
		return true;
	int faults = open_in(session, process, thread->tid);
	if (faults >= 0)
		tracking->items[tracking->count++] = (struct tracked){ process->pid, faults };
	return true;
}

/* Stops the tree, and lets it go on. */
static bool attempt(struct tracking *tracking, int root)
{
	struct session *session = &tracking->session;
	bool done = true;
	*session = (struct session){ 0 };
	session_start(session, root, STOP_TIME);
	session->tracks = true;
	attach_tree(session);
	start_guardian(session);
	if (!session->error && session->guardian && stop_all(session, NULL, session->deadline)) {
		for (struct thread *thread = session->threads; thread; thread = thread->next)
			if (is_live(thread) && thread->stop == STOPPED)
				examine(thread);
		for (struct process *process = session->processes; process; process = process->next)
			done &= take_process(tracking, process);
	}
	roll_back(session);
	dismiss_guardian(session);
	return done;
}

static void take_all(struct tracking *tracking, int root)
{
	lock_program(root);
	for (int i = 0; i < ATTEMPTS && !attempt(tracking, root); i++)
		rest(ATTEMPT_PAUSE);
}

/* False where the kernel cannot. */
static bool begin(int faults)
{
	struct {
		uint64_t api, features, calls;
	} words = { API_NAME, REPORTS_WRITES | REPORTS_UNPOPULATED | ASYNCHRONOUS, 0 };
	return SYS(NR_ioctl, faults, USERFAULT_API, &words) == 0;
}

static size_t take_from(const struct tracking *tracking, int tracer, struct tracked *tracked)
{
	int handle = (int)SYS(NR_pidfd_open, tracer, 0);
	size_t count = 0;
	for (size_t i = 0; i < tracking->count && handle >= 0; i++) {
		int faults = (int)SYS(NR_pidfd_getfd, handle, tracking->items[i].faults, 0);
		if (faults >= 0 && begin(faults))
			tracked[count++] = (struct tracked){ tracking->items[i].pid, faults };
		else
			SYS(NR_close, faults);
	}
	SYS(NR_close, handle);
	return count;
}

size_t track_tree(int root, struct tracked tracked[MOST_TRACKED])
{
	int ready[2], taken[2];
	char word;
	size_t count = 0;
	if (!CALLS_GO_ON) /* a program that sleeps would sleep for longer */
		return 0;
	if (SYS(NR_pipe2, ready, O_CLOEXEC) < 0 || SYS(NR_pipe2, taken, O_CLOEXEC) < 0)
		return 0;
	share_memory(true);
	struct tracking *tracking = allocate(sizeof *tracking);
	long tracer = spawn();
	if (tracer == 0) {
		SYS(NR_close, ready[0]);
		SYS(NR_close, taken[1]);
		take_all(tracking, root);
		(void)write_all(ready[1], ".", 1);
		(void)SYS(NR_read, taken[0], &word, 1);
		leave(0);
	}
	share_memory(false);
	SYS(NR_close, ready[1]);
	SYS(NR_close, taken[0]);
	if (tracer > 0 && read_all(ready[0], &word, 1))
		count = take_from(tracking, (int)tracer, tracked);
	SYS(NR_close, ready[0]);
	SYS(NR_close, taken[1]);
	if (tracer > 0)
		SYS(NR_wait4, tracer, 0, WALL, 0);
	return count;
}

size_t track_memory(const struct tracked *tracked, int map, struct range **fresh)
{
	size_t count = large_mappings(tracked->pid, fresh), used = 0;
	for (size_t i = 0; i < count; i++) {
		struct range range = (*fresh)[i];
		struct {
			uint64_t start, size, mode, calls;
		} words = { range.start, range.end - range.start, MODE_WRITES, 0 };
		if (!is_tracked(map, range.start))
			(*fresh)[used++] = range;
		SYS(NR_ioctl, tracked->faults, USERFAULT_REGISTER, &words); /* if not, a scan of it says so */
	}
	return used;
}
