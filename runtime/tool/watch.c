/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See watch.h. */
#include "watch.h"

enum { MOST_TIME = 2000 /* ms */, RETURNS = 4, ADVICE = 2 };

static const char *path_of(const char *directory, int pid, bool draft)
{
	return format("%s/%d%s", directory, (long)pid, draft ? "~" : "");
}

/* --- what a process does to its mappings --------------------------------------------------------------------------- */

/* Those of madvise(2) that are about pages alone (asm-generic/mman-common.h): WILLNEED, DONTNEED, FREE, REMOVE, COLD to COLLAPSE. */
static bool is_about_pages(uint64_t advice)
{
	return advice == 3 || advice == 4 || advice == 8 || advice == 9 || (advice >= 20 && advice <= 25);
}

static bool may_change(long number, const uint64_t arguments[6])
{
	static const long changing[] = { CALLS_ON_MAPPINGS };
	if (number == NR_madvise)
		return !is_about_pages(arguments[ADVICE]);
	for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
		if (changing[i] == number)
			return true;
	return false;
}

void note_call(struct space *space, long number, const uint64_t arguments[6])
{
	space->watched &= !may_change(number, arguments);
}

/* --- watching ------------------------------------------------------------------------------------------------------ */

static void read_mappings(const struct session *session)
{
	for (const struct process *process = session->processes; process; process = process->next) {
		struct text text = { 0 };
		if (!process->space->watched || !read_text(format("/proc/%d/smaps", (long)process->pid), &text))
			continue;
		append(&text, "", 1);
		(void)!replace_file(path_of(session->mappings, process->pid, true), text.data); /* all of it, or none */
	}
}

static bool any_is_stopped(const struct session *session)
{
	for (const struct thread *thread = session->threads; thread; thread = thread->next)
		if (is_live(thread) && thread->group_stop)
			return true;
	return false;
}

/* From call to call, as long as who reads needs. */
static void run_traced(struct session *session, long reader)
{
	for (long until = now() + MOST_TIME; now() < until && !session->cancelled && !any_is_stopped(session) && SYS(NR_kill, reader, 0) == 0;) {
		for (struct thread *thread = session->threads; thread; thread = thread->next)
			if (is_live(thread) && thread->stop != RUNNING)
				let_go(thread, PTRACE_SYSCALL);
		wait_events(session, until);
	}
}

/* Who stands before or behind a call is not where it can be judged: the interruption is due before it comes to another instruction. */
static void leave_calls(struct session *session)
{
	for (struct thread *thread = session->threads; thread; thread = thread->next) {
		if (!is_live(thread) || thread->stop != INSIDE)
			continue;
		SYS(NR_ptrace, PTRACE_INTERRUPT, thread->tid, 0, 0);
		thread->still = true;
		let_go(thread, PTRACE_CONT);
	}
}

void watch_mappings(struct session *session)
{
	long begin = now();
	SYS(NR_mkdirat, AT_FDCWD, session->mappings, 0700);
	for (struct process *process = session->processes; process; process = process->next) {
		SYS(NR_unlinkat, AT_FDCWD, path_of(session->mappings, process->pid, false), 0);
		process->space->watched = !process->gone;
	}
	if (any_is_stopped(session))
		return;
	long reader = spawn();
	if (reader == 0) {
		share_memory(false);
		read_mappings(session);
		leave(0);
	}
	if (reader < 0)
		return;
	session->watches = true;
	run_traced(session, reader);
	SYS(NR_kill, reader, SIGKILL); /* if it has not ended */
	session->watched = now() - begin;
	session->deadline += session->watched;
	for (int i = 0; i < RETURNS && stop_all(session, NULL, session->deadline); i++)
		leave_calls(session);
	stop_all(session, NULL, session->deadline);
}

void end_watch(struct session *session)
{
	session->watches = false;
	for (const struct process *process = session->processes; process; process = process->next)
		if (process->space->watched && !process->gone)
			SYS(NR_renameat2, AT_FDCWD, path_of(session->mappings, process->pid, true), AT_FDCWD, path_of(session->mappings, process->pid, false), 0);
}

/* --- afterwards ---------------------------------------------------------------------------------------------------- */

/* Whether the lines that begin with an address are all of /proc/PID/maps. */
static bool are_mappings(const struct text *told, const struct text *maps)
{
	size_t used = 0;
	for (size_t at = 0, end; at < told->size; at = end) {
		for (end = at; end < told->size && told->data[end] != '\n'; end++)
			;
		end += end < told->size;
		if (told->data[at] >= 'A' && told->data[at] <= 'Z')
			continue;
		if (end - at > maps->size - used || memcmp(told->data + at, maps->data + used, end - at))
			return false;
		used += end - at;
	}
	return used == maps->size;
}

void tell_watched(const char *directory, int pid, const char *text)
{
	SYS(NR_mkdirat, AT_FDCWD, directory, 0700);
	(void)!replace_file(path_of(directory, pid, false), text);
}

int open_watched(const char *directory, int pid)
{
	struct text told = { 0 }, maps = { 0 };
	const char *path = path_of(directory, pid, false);
	if (!read_text(path, &told) || !read_text(format("/proc/%d/maps", (long)pid), &maps) || !are_mappings(&told, &maps))
		return -1;
	return open_file(path, O_RDONLY);
}
