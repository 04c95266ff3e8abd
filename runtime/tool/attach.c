/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Attaching to a tree. */
#include "remote.h"

/* Seizes one thread; false only after a failure that must end the pause. A thread that has ended meanwhile is none. */
static bool seize(struct session *session, struct process *process, int tid)
{
	long result = SYS(NR_ptrace, PTRACE_SEIZE, tid, 0, TRACE_OPTIONS);
	char state = result < 0 ? state_of(process->pid, tid) : 0;
	if (result == -ESRCH || (result < 0 && (!state || state == 'X')))
		return true;
	if (result < 0 && state == 'Z') {
		if (tid != process->pid || threads_of(tid).count < 2)
			return true;
		return refuse(session, "unsupported", tid, "process %d: its main thread has ended before the others", (long)tid);
	}
	/* What a thread that we trace creates is ours from its start. */
	if (result < 0 && status_number(tid, "TracerPid") != SYS(NR_getpid))
		return refuse(session, "denied", tid, "thread %d: cannot be traced: errno %d, tracer %d", (long)tid, -result,
			      status_number(tid, "TracerPid"));
	add_thread(session, process, tid);
	if (result == 0)
		SYS(NR_ptrace, PTRACE_INTERRUPT, tid, 0, 0);
	return true;
}

static bool has_threads(const struct session *session, const struct process *process)
{
	for (const struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->process == process)
			return true;
	return false;
}

static bool attach_process(struct session *session, int pid)
{
	struct process *process = find_process(session, pid);
	if (!process) {
		struct space *space = open_space(session, pid);
		if (!space)
			return !session->error; /* or it has ended meanwhile */
		process = add_process(session, pid, space);
	}
	struct numbers threads = threads_of(pid);
	for (size_t i = 0; i < threads.count; i++) {
		if (!find_thread(session, threads.items[i]) && !seize(session, process, threads.items[i]))
			return false;
	}
	if (!has_threads(session, process))
		process->gone = true; /* it has ended since the tree was read */
	return true;
}

bool attach_tree(struct session *session)
{
	struct numbers tree = tree_of(session->root);
	if (!tree.count)
		return refuse(session, "gone", session->root, "process %d: does not exist", (long)session->root);
	for (size_t i = 0; i < tree.count; i++) { /* before anything is touched */
		const char *why;
		if (!index_of(tree.items[i], &why) && why)
			return refuse(session, "no-index", tree.items[i], "process %d: %s", (long)tree.items[i], why);
	}
	/* Until a look finds nobody new: whom we have not seized yet may still create others. */
	for (int round = 0; round < 100; round++) {
		struct thread *newest = session->threads;
		for (size_t i = 0; i < tree.count; i++)
			if (!attach_process(session, tree.items[i]))
				return false;
		if (session->threads == newest)
			return true;
		tree = tree_of(session->root);
	}
	return refuse(session, "timeout", session->root, "process %d: creates threads faster than they can be attached", (long)session->root);
}

bool adopt_root(struct session *session)
{
	struct space *space = open_space(session, session->root);
	if (!space)
		return refuse(session, "gone", session->root, "process %d: has ended", (long)session->root);
	if (stand_still(session->root) < 0)
		return refuse(session, "gone", session->root, "process %d: has ended", (long)session->root);
	add_thread(session, add_process(session, session->root, space), session->root)->stop = STOPPED;
	return true;
}
