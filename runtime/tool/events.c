/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Taking in what the kernel reports of the threads (ptrace(2)), and waiting for it. */
#include "remote.h"
#include "watch.h"

enum { SYSCALL_STOP = 0x80 /* PTRACE_O_TRACESYSGOOD */, CALL_ENTRY = 1, CLONE_THREAD = 0x10000 };

/* struct ptrace_syscall_info (linux/ptrace.h), of the entry of a call. */
struct call_entry {
	uint8_t kind, pad[3];
	uint32_t arch;
	uint64_t pc, sp, number, arguments[6], rest;
};

/* Whether a thread stands before or behind a call, and whether that makes a process; flags of clone3(2) are not looked at. */
static void look_at_call(const struct session *session, struct thread *thread)
{
	struct call_entry entry = { 0 };
	long got = SYS(NR_ptrace, PTRACE_GET_SYSCALL_INFO, thread->tid, sizeof entry, &entry), number = (long)entry.number;
	thread->enters = got > 0 && entry.kind == CALL_ENTRY;
	thread->forks = thread->enters && ((number == NR_clone && !(entry.arguments[0] & CLONE_THREAD)) || number == NR_clone3 || is_fork(number));
	if (session->watches && (thread->enters || got <= 0))
		note_call(thread->process->space, got > 0 ? number : NR_mmap, entry.arguments);
}

static void process_is_gone(struct session *session, int pid)
{
	struct process *process = find_process(session, pid);
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (process && thread->process == process)
			thread->stop = GONE;
	if (process)
		process->gone = true;
}

/* A thread or process that a traced one has created; its parent may be reported before or after it. */
static struct thread *take_in(struct session *session, struct thread *parent, int tid)
{
	struct thread *known = find_thread(session, tid);
	if (known)
		return known;
	long pid = status_number(tid, "Tgid");
	if (pid < 0)
		return NULL; /* ended already */
	struct process *process = find_process(session, (int)pid);
	if (!process && !parent) {
		struct process *by = find_process(session, (int)status_number(tid, "PPid"));
		for (struct thread *thread = session->threads; thread && by; thread = thread->next)
			if (thread->process == by)
				parent = thread;
	}
	if (!process && parent)
		process = add_process(session, (int)pid, space_of_child(session, parent->process, (int)pid));
	return process ? add_thread(session, process, tid) : NULL;
}

/* The process has another program; its other threads are gone, and the one that called exec has the process's number. */
static void take_in_exec(struct session *session, int tid)
{
	struct process *process = find_process(session, tid);
	for (struct thread *thread = session->threads; process && thread; thread = thread->next)
		if (thread->process == process && thread->tid != tid)
			thread->stop = GONE;
	if (!process)
		return;
	struct space *space = open_space(session, tid);
	process->borrows = false;
	if (space)
		process->space = space;
	else
		process->gone = true; /* open_space has recorded why; nothing of ours is in the new program */
}

/*
 * A thread was asked to stop just when it hit a breakpoint or ended a step: the SIGTRAP is on its way. It must not stay: whoever
 * lets the thread go on later would kill it. So take it now.
 */
static bool stands_before_trap(const struct session *session, const struct thread *thread)
{
	struct registers registers;
	if (!read_registers(thread, &registers))
		return false;
	uint64_t pc = program_counter(&registers) - BREAKPOINT_REWIND;
	return (thread->stepping || is_ours(session, thread->process->space, pc)) && trap_is_pending(thread->tid);
}

/* Is this SIGTRAP one of our breakpoints? Then pc becomes its address. */
static bool hit_breakpoint(const struct session *session, const struct thread *thread)
{
	struct registers registers;
	struct signal_info info;
	if (SYS(NR_ptrace, PTRACE_GETSIGINFO, thread->tid, 0, &info) < 0 || info.code != BREAKPOINT_CODE ||
	    !read_registers(thread, &registers))
		return false;
	uint64_t pc = program_counter(&registers) - BREAKPOINT_REWIND;
	if (!is_ours(session, thread->process->space, pc))
		return false;
	set_program_counter(&registers, pc);
	return write_registers(thread, &registers);
}

static void take_in_stop(struct session *session, struct thread *thread, int status)
{
	int event = status >> 16, signal = status >> 8 & 0xff;
	uint64_t number = 0;
	thread->signal = 0;
	thread->verdict = UNSEEN;
	thread->group_stop = event == EVENT_STOP && signal != SIGTRAP;
	if (event == EVENT_STOP && stands_before_trap(session, thread)) {
		SYS(NR_ptrace, PTRACE_CONT, thread->tid, 0, 0); /* executes nothing: the SIGTRAP is reported next */
	} else if (event == EVENT_STOP) {
		thread->stop = STOPPED;
	} else if (event) {
		thread->stop = INSIDE;
		SYS(NR_ptrace, PTRACE_GETEVENTMSG, thread->tid, 0, &number);
		if (event == EVENT_EXEC)
			take_in_exec(session, thread->tid);
		else
			take_in(session, thread, (int)number);
	} else if (signal == (SIGTRAP | SYSCALL_STOP)) {
		thread->stop = INSIDE;
		look_at_call(session, thread);
		unmask_signals(thread);
	} else if (signal == SIGTRAP && thread->stepping) {
		thread->stop = STOPPED;
		thread->stepping = false;
	} else if (signal == SIGTRAP && hit_breakpoint(session, thread)) {
		thread->stop = BREAKPOINT;
	} else {
		thread->stop = SIGNALLED;
		thread->signal = signal;
	}
}

static void take_in_event(struct session *session, int tid, int status)
{
	if ((status & 0xff) != 0x7f) { /* ended */
		struct thread *thread = find_thread(session, tid);
		if (thread)
			thread->stop = GONE;
		process_is_gone(session, tid);
		return;
	}
	struct thread *thread = find_thread(session, tid);
	if (!thread && status >> 16 == EVENT_EXEC) { /* the caller of exec was another thread than the main one, which had ended */
		struct process *process = find_process(session, tid);
		thread = process ? add_thread(session, process, tid) : NULL;
	}
	if (!thread)
		thread = take_in(session, NULL, tid);
	if (thread)
		take_in_stop(session, thread, status);
}

bool take_in_events(struct session *session)
{
	bool any = false;
	for (;;) {
		int status;
		long tid = SYS(NR_wait4, -1, &status, WNOHANG | WALL, 0);
		if (tid <= 0)
			return any;
		take_in_event(session, (int)tid, status);
		any = true;
	}
}

bool wait_events(struct session *session, long until)
{
	for (;;) {
		if (take_in_events(session))
			return true;
		long left = until - now();
		if (left <= 0)
			return false;
		struct timespec time = { left / 1000, left % 1000 * 1000000 };
		long signal = SYS(NR_rt_sigtimedwait, &awaited, 0, &time, sizeof awaited);
		if (signal > 0 && signal != SIGCHLD) {
			session->cancelled = (int)signal;
			return false;
		}
	}
}
