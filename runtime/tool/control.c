/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Stopping many threads, and letting one go on among breakpoints. */
#include "guard.h"

enum { GRACE = 20 /* ms, before we look whether a thread can stop at all */ };

/*
 * The parent in vfork sleeps in the kernel until its child, which shares its address space, is done with it; it stops only then, on the way
 * back to user mode. Such a thread counts as one that executes nothing.
 */
static bool sleeps_in_vfork(const struct session *session, const struct thread *thread)
{
	for (struct process *other = session->processes; other; other = other->next)
		if (other != thread->process && !other->gone && other->space == thread->process->space)
			return state_of(thread->process->pid, thread->tid) == 'D';
	return false;
}

static bool is_to_be_stopped(const struct thread *thread, const struct space *space)
{
	return thread->stop == RUNNING && is_live(thread) && (!space || thread->process->space == space);
}

bool stop_all(struct session *session, const struct space *space, long until)
{
	long soon = now() + GRACE;
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (is_to_be_stopped(thread, space))
			SYS(NR_ptrace, PTRACE_INTERRUPT, thread->tid, 0, 0);
	for (;;) {
		take_in_events(session);
		bool waiting = false, late = now() >= soon;
		for (struct thread *thread = session->threads; thread && !waiting; thread = thread->next)
			waiting = is_to_be_stopped(thread, space) && !(late && sleeps_in_vfork(session, thread));
		if (!waiting)
			return true;
		if (late)
			soon = now() + GRACE;
		if (!wait_events(session, soon < until ? soon : until) && (now() >= until || session->cancelled))
			return false;
	}
}

/* Waits until a thread that makes a step is elsewhere, or gone. */
static bool await_step(struct session *session, struct thread *thread, uint64_t from)
{
	struct registers registers;
	for (;;) {
		if (!wait_events(session, session->deadline))
			return false;
		if (thread->stop == RUNNING)
			continue;
		if (thread->stop == GONE || !read_registers(thread, &registers) || program_counter(&registers) != from)
			return true;
		let_go(thread, PTRACE_SINGLESTEP); /* a fault came first, or the answer to an earlier interruption */
	}
}

bool step_over(struct session *session, struct thread *thread)
{
	struct space *space = thread->process->space;
	uint64_t pc = thread->pc;
	if (!stop_all(session, space, session->deadline))
		return false;
	if (!is_live(thread))
		return true;
	session->steps++;
	if (!take_away_at(session, space, pc))
		return false;
	mask_signals(thread); /* no handler in place of the instruction, which is no system call */
	let_go(thread, PTRACE_SINGLESTEP);
	bool done = await_step(session, thread, pc);
	if (done && thread->stop != GONE)
		unmask_signals(thread);
	/* After a time-out as well: the thread may be running, and roll_back takes all breakpoints away together. */
	return put_back_at(session, space, pc) && done;
}

bool run_freely(struct session *session, struct thread *thread, long time)
{
	struct space *space = thread->process->space;
	if (!stop_all(session, space, session->deadline) || !unplant(session, space))
		return false;
	if (is_live(thread))
		let_go(thread, PTRACE_CONT);
	for (long until = now() + time; is_live(thread) && thread->stop == RUNNING && now() < until && !session->cancelled;)
		wait_events(session, until);
	return stop_all(session, space, session->deadline);
}

static bool is_borrowed(const struct session *session, const struct space *space)
{
	for (const struct process *process = session->processes; process; process = process->next)
		if (process->space == space && process->borrows && !process->gone)
			return true;
	return false;
}

bool plant_process(struct session *session, struct process *process)
{
	struct space *space = process->space;
	if (!prepare(session, space) || !guard_process(session, process))
		return false;
	if (space->planted || is_borrowed(session, space) || (session->guardian && !process->guarded /* it has not stopped yet */))
		return true;
	return session->at ? plant_one(session, space, session->at) : plant_all(session, space);
}

bool plant_later(struct session *session, struct process *process)
{
	return process->space->planted || is_borrowed(session, process->space) || (stop_all(session, process->space, session->deadline) && plant_process(session, process));
}

bool fork_cleanly(struct session *session, struct thread *thread)
{
	struct space *space = thread->process->space;
	if (!stop_all(session, space, session->deadline) || !unplant(session, space))
		return false;
	if (is_live(thread))
		let_go(thread, PTRACE_SYSCALL);
	while (is_live(thread) && thread->stop == RUNNING && !session->cancelled)
		if (!wait_events(session, session->deadline))
			return false;
	return stop_all(session, space, session->deadline) && (!is_live(thread) || plant_process(session, thread->process));
}
