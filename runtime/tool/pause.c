/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Bringing every thread of a tree to an equivalence point.
 *
 * All threads are stopped and judged. If all stand well (an idle server, waiting in system calls), that is all. Else breakpoints are
 * planted at all sites of their processes and the others run on; whoever arrives stays in its ptrace stop. Threads that block on the way are found
 * by stopping them again every few milliseconds. Signals that come on the way are put back: a handler, whose frame no site
 * describes, would only delay the thread, and a timer that is faster than we are could do so for ever.
 *
 * While breakpoints are planted, our death by SIGKILL would be the program's as well, were it not guarded (guard.h). SIGTERM, SIGINT
 * and SIGHUP are obeyed by rolling back.
 */
#include "guard.h"
#include "watch.h"

enum { FIRST_LOOK = 1, LONGEST_LOOK = 16, ROLL_BACK_TIME = 3000, PATIENT_STEPS = 8, PATIENT_INTERRUPTIONS = 16 };

static bool timed_out(struct session *session)
{
	if (session->cancelled)
		return refuse(session, "interrupted", 0, "interrupted by signal %d", (long)session->cancelled);
	return refuse(session, "timeout", 0, "not every thread reached an equivalence point in time");
}

static bool root_is_gone(struct session *session)
{
	for (struct process *process = session->processes; process; process = process->next)
		if (process->pid == session->root && !process->gone)
			return false;
	refuse(session, "gone", session->root, "process %d: has ended", (long)session->root);
	return true;
}

/*
 * A thread that stands well may still have to go on, until the tree has passed as many sites as were asked for: whose they are does not
 * matter, since the main thread may be waiting for the others.
 */
static bool is_wanted(struct session *session, const struct thread *thread)
{
	if (session->count && thread->stop == BREAKPOINT)
		session->hits++;
	return session->hits >= session->count;
}

/* Whether some thread in a space is to run. Who stands well stays where it is, unless sites are counted, or a place is looked for. */
static bool is_to_run(const struct session *session, const struct space *space)
{
	for (const struct thread *thread = session->threads; thread; thread = thread->next)
		if (is_live(thread) && thread->process->space == space && !is_accepted(thread))
			return true;
	return session->count || session->at;
}

/*
 * The space of each live process is treated in which a thread is to run; doing it twice for a shared one is harmless. Text in which breakpoints were is the
 * process's own from then on, and a part of its image. All memory is had before the first breakpoint is planted: who has none left would die among
 * breakpoints, and the program with it.
 */
static bool plant(struct session *session)
{
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone && !prepare(session, process->space))
			return false;
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone && is_to_run(session, process->space) && !plant_process(session, process))
			return false;
	return true;
}

/*
 * Gets a thread past a breakpoint where it cannot stay. In a signal handler, below foreign code that calls back, or between vfork and
 * exec it may meet thousands of them before it can: then it runs a while without any, longer each time.
 */
static bool pass(struct session *session, struct thread *thread, enum verdict verdict)
{
	bool done, hopeless = verdict == BORROWS_MEMORY;
	if (!hopeless && (verdict != FRAME_UNKNOWN || ++thread->rejections <= PATIENT_STEPS)) {
		done = step_over(session, thread);
	} else {
		thread->rejections += hopeless;
		long time = thread->rejections < 4 + PATIENT_STEPS ? 2 : LONGEST_LOOK;
		done = run_freely(session, thread, time) && plant(session);
	}
	return done || session->error || timed_out(session);
}

/* Whether a call ends early, or goes on, depends on what the signal's handler is like: let the kernel decide while it can. */
static bool has_interrupted_call(struct thread *thread)
{
	struct registers registers;
	if (thread->masked || thread->interruptions >= PATIENT_INTERRUPTIONS || !read_registers(thread, &registers))
		return false;
	const struct special *special = special_at(thread->process->space->index, program_counter(&registers));
	if (!special || special->kind > SPECIAL_DONE)
		return false;
	thread->interruptions++;
	return true;
}

/* Keeps a stopped thread where it is, or lets it go on. False after a failure. */
static bool consider(struct session *session, struct thread *thread)
{
	enum verdict verdict = UNSEEN;
	if (thread->stop == STOPPED && !plant_later(session, thread->process)) /* one that was forked meanwhile, or that had a borrower */
		return session->error || timed_out(session);
	if (thread->stop == STOPPED || thread->stop == BREAKPOINT) {
		examine(thread);
		if (is_accepted(thread))
			thread->rejections = 0;
		if (is_accepted(thread) && is_wanted(session, thread)) {
			unmask_signals(thread);
			return true;
		}
		verdict = thread->verdict;
		thread->verdict = UNSEEN;
	}
	if (thread->stop == BREAKPOINT) {
		unmask_signals(thread);
		return pass(session, thread, verdict);
	}
	if (thread->forks && thread->process->space->planted)
		return fork_cleanly(session, thread) || session->error || timed_out(session);
	if (thread->stop == SIGNALLED && !has_interrupted_call(thread))
		defer_signal(thread);
	else
		let_go(thread, PTRACE_CONT);
	return true;
}

/* Before it goes on others are stopped, who are then to go on as well. */
static bool stops_others(const struct thread *thread)
{
	return thread->forks || !thread->process->space->planted;
}

/* Considers every stopped thread until each is kept or runs (a step stops others, who are then considered again). */
static bool sweep(struct session *session)
{
	for (bool again = true; again;) {
		again = false;
		for (struct thread *thread = session->threads; thread; thread = thread->next) {
			if (!is_live(thread) || thread->stop == RUNNING || is_accepted(thread))
				continue;
			again |= thread->stop == BREAKPOINT || stops_others(thread);
			if (!consider(session, thread) || session->error)
				return false;
		}
	}
	return true;
}

static bool all_accepted(const struct session *session)
{
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (is_live(thread) && !is_accepted(thread))
			return false;
	return true;
}

static void interrupt_running(struct session *session)
{
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (is_live(thread) && thread->stop == RUNNING)
			SYS(NR_ptrace, PTRACE_INTERRUPT, thread->tid, 0, 0);
}

static bool converge(struct session *session)
{
	long patience = FIRST_LOOK, look = now() + patience;
	for (;;) {
		if (!sweep(session) || root_is_gone(session))
			return false;
		if (all_accepted(session))
			return true;
		wait_events(session, look < session->deadline ? look : session->deadline);
		if (session->cancelled || now() >= session->deadline)
			return timed_out(session);
		if (now() >= look) {
			interrupt_running(session);
			patience = patience < LONGEST_LOOK ? 2 * patience : LONGEST_LOOK;
			look = now() + patience;
		}
	}
}

static bool unplant_all(struct session *session)
{
	bool done = true;
	for (struct space *space = session->spaces; space; space = space->next) {
		bool used = false;
		for (struct process *process = session->processes; process; process = process->next)
			used |= process->space == space && !process->gone;
		if (used)
			done &= unplant(session, space);
	}
	return done;
}

static bool go_on(struct session *session, struct thread *thread)
{
	if (thread->stop == STOPPED && !plant_later(session, thread->process))
		return false;
	if (thread->forks && thread->process->space->planted)
		return fork_cleanly(session, thread);
	let_go(thread, PTRACE_CONT);
	return true;
}

/* Runs until some thread comes to `at`; then everything is stopped. */
static bool run_to_address(struct session *session)
{
	bool arrived = false;
	if (!plant(session))
		return false;
	while (!arrived) {
		bool again = false;
		for (struct thread *thread = session->threads; thread; thread = thread->next) {
			arrived |= is_live(thread) && thread->stop == BREAKPOINT;
			if (!is_live(thread) || thread->stop == RUNNING || thread->stop == BREAKPOINT)
				continue;
			again |= stops_others(thread);
			if (!go_on(session, thread))
				return timed_out(session);
		}
		if (session->error || root_is_gone(session))
			return false;
		if (!arrived && !again && !wait_events(session, session->deadline))
			return timed_out(session);
	}
	if (!stop_all(session, NULL, session->deadline))
		return timed_out(session);
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->stop == BREAKPOINT)
			thread->stop = STOPPED; /* the breakpoint goes: nothing to step over */
	return unplant_all(session);
}

static bool stand_well_already(struct session *session)
{
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (is_live(thread) && thread->stop == STOPPED)
			examine(thread);
	return !session->count && !session->at && all_accepted(session);
}

static void unguard_all(struct session *session)
{
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone)
			unguard_process(session, process);
}

bool pause_tree(struct session *session)
{
	start_guardian(session);
	if (!stop_all(session, NULL, session->deadline))
		return timed_out(session);
	if (session->error || root_is_gone(session))
		return false;
	if (session->mappings)
		watch_mappings(session);
	if (session->cancelled)
		return timed_out(session);
	if (session->error || root_is_gone(session))
		return false;
	if (session->at) {
		if (!run_to_address(session))
			return false;
		session->arrived = session->at;
		session->at = 0;
	}
	if (!stand_well_already(session) || session->arrived) {
		if (!plant(session) || !converge(session))
			return false;
		if (!unplant_all(session))
			return false;
		unguard_all(session);
	}
	if (session->mappings)
		end_watch(session);
	return halt_tree(session);
}

void roll_back(struct session *session)
{
	session->cancelled = 0;
	stop_all(session, NULL, now() + ROLL_BACK_TIME);
	unplant_all(session);
	unguard_all(session);
	for (struct thread *thread = session->threads; thread; thread = thread->next) {
		if (thread->stop == RUNNING || thread->stop == GONE)
			continue;
		if (is_live(thread) && !is_accepted(thread))
			examine(thread); /* for the report: where it is now, and what is wrong with that */
		unmask_signals(thread);
		SYS(NR_ptrace, PTRACE_DETACH, thread->tid, 0, thread->signal);
	}
	for (struct process *process = session->processes; process; process = process->next)
		if (process->halted && !process->was_stopped && !process->gone)
			SYS(NR_kill, process->pid, SIGCONT);
}
