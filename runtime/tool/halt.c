/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * From ptrace stops to a group stop, without a single instruction of user mode in between.
 *
 * SIGSTOP is sent while all threads of the process are in ptrace stops. One of them, with everything else blocked, is continued: still
 * inside the kernel's get_signal() it reports SIGSTOP; continued with it, it starts the group stop and reports that. From now on
 * the process counts as stopped (signal->group_stop_count), and PTRACE_DETACH re-arms the stop for each thread that it releases
 * (kernel/ptrace.c, __ptrace_unlink), so each goes from its ptrace stop to the group stop, again inside get_signal(): registers,
 * pending restarts of system calls, everything stays as it was judged.
 */
#include "remote.h"

enum { HALT_TIME = 2000 };

static struct thread *any_thread(struct session *session, const struct process *process)
{
	struct thread *found = NULL;
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->process == process && thread->stop != GONE && (!found || thread->tid == process->pid))
			found = thread;
	return found;
}

/*
 * Continues a thread until it has reported SIGSTOP and then the group stop. A group stop before that is none: a process that was stopped
 * when we came counts as stopped still, so an interruption that was due reports one. SIGSTOP would stay pending, and hit criu.
 */
static bool start_group_stop(struct session *session, struct thread *thread)
{
	long until = now() + HALT_TIME;
	bool taken = false;
	thread->group_stop = false;
	while (!taken || !thread->group_stop) {
		taken |= thread->signal == SIGSTOP;
		thread->still = true;
		let_go(thread, PTRACE_CONT); /* hands SIGSTOP back */
		while (thread->stop == RUNNING)
			if (!wait_events(session, until) && (now() >= until || session->cancelled))
				return refuse(session, "internal", thread->tid, "thread %d: did not take SIGSTOP", (long)thread->tid);
		if (thread->stop == GONE)
			return refuse(session, "gone", thread->tid, "thread %d: was killed", (long)thread->tid);
	}
	return true;
}

static bool stop_process(struct session *session, struct process *process, struct thread *thread)
{
	enum verdict verdict = thread->verdict;
	struct call *call = &session->call; /* what the guardian makes of the thread if we die here */
	/* Other pending signals would be reported first; blocked, they stay pending. */
	if (get_mask(thread->tid, &call->mask) < 0)
		return refuse(session, "gone", thread->tid, "thread %d: was killed", (long)thread->tid);
	call->masked = true;
	call->tid = thread->tid;
	put_mask(thread->tid, ~0ul);
	process->halted = true;
	SYS(NR_kill, process->pid, SIGSTOP);
	bool done = start_group_stop(session, thread);
	put_mask(thread->tid, call->mask);
	call->tid = 0;
	call->masked = false;
	thread->verdict = verdict;
	return done;
}

static bool halt_process(struct session *session, struct process *process)
{
	return stop_process(session, process, any_thread(session, process));
}

bool hold_process(struct session *session, struct process *process, struct thread *thread)
{
	process->was_stopped |= thread->group_stop;
	return stop_process(session, process, thread);
}

static void detach_process(struct session *session, const struct process *process)
{
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->process == process && thread->stop != GONE)
			SYS(NR_ptrace, PTRACE_DETACH, thread->tid, 0, 0);
}

/* Every thread must be stopped, and where it was. */
static bool verify(struct session *session, const struct thread *thread, long until)
{
	uint64_t pc = 0;
	long call;
	int pid = thread->process->pid;
	while (state_of(pid, thread->tid) != 'T' && now() < until)
		rest(1);
	if (position_of(pid, thread->tid, &call, &pc) && pc == thread->pc)
		return true;
	return refuse(session, "internal", thread->tid, "thread %d: is at %x after it was stopped at %x", (long)thread->tid, pc, thread->pc);
}

bool halt_tree(struct session *session)
{
	/* Everything first enters its group stop, then is released: a failure can still be taken back as a whole. */
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone && !halt_process(session, process))
			return false;
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone)
			detach_process(session, process);
	long until = now() + HALT_TIME;
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (is_live(thread) && !verify(session, thread, until))
			return false;
	return true;
}
