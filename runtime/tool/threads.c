/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is done to single threads. */
#include "session.h"

enum { NT_PRSTATUS = 1, SIG_BLOCK = 0 };

struct vector {
	void *data;
	size_t size;
};

bool refuse(struct session *session, const char *error, int tid, const char *template, ...)
{
	if (session->error)
		return false;
	struct text text = { 0 };
	va_list arguments;
	va_start(arguments, template);
	vprint(&text, template, arguments);
	va_end(arguments);
	append(&text, "", 1);
	session->error = error;
	session->message = text.data;
	session->tid = tid;
	return false;
}

/* Signals that an instruction causes: blocked, they would kill. */
static const uint64_t synchronous = 1ul << (SIGILL - 1) | 1ul << (SIGTRAP - 1) | 1ul << (SIGBUS - 1) | 1ul << (SIGFPE - 1) |
	1ul << (SIGSEGV - 1) | 1ul << (SIGSYS - 1);
const uint64_t awaited = 1ul << (SIGCHLD - 1) | 1ul << (SIGHUP - 1) | 1ul << (SIGINT - 1) | 1ul << (SIGTERM - 1);

void session_start(struct session *session, int root, long timeout)
{
	SYS(NR_rt_sigprocmask, SIG_BLOCK, &awaited, 0, sizeof awaited);
	session->root = root;
	session->deadline = now() + timeout;
}

bool read_registers(const struct thread *thread, struct registers *registers)
{
	struct vector vector = { registers, sizeof *registers };
	return SYS(NR_ptrace, PTRACE_GETREGSET, thread->tid, NT_PRSTATUS, &vector) == 0;
}

bool write_registers(const struct thread *thread, const struct registers *registers)
{
	struct vector vector = { (void *)registers, sizeof *registers };
	return SYS(NR_ptrace, PTRACE_SETREGSET, thread->tid, NT_PRSTATUS, &vector) == 0;
}

void mask_signals(struct thread *thread)
{
	uint64_t asynchronous = ~synchronous;
	if (thread->masked || SYS(NR_ptrace, PTRACE_GETSIGMASK, thread->tid, sizeof thread->mask, &thread->mask) < 0)
		return;
	thread->masked = true; /* first: the guardian would know nothing of a mask that is there already */
	thread->masked = SYS(NR_ptrace, PTRACE_SETSIGMASK, thread->tid, sizeof asynchronous, &asynchronous) == 0;
}

void unmask_signals(struct thread *thread)
{
	if (thread->masked)
		SYS(NR_ptrace, PTRACE_SETSIGMASK, thread->tid, sizeof thread->mask, &thread->mask);
	thread->masked = false;
}

/* kernel/signal.c, ptrace_signal(): a signal that is blocked when its report is answered is queued again, as it was. */
void defer_signal(struct thread *thread)
{
	bool fault = 1ul << (thread->signal - 1) & synchronous, job_control = thread->signal >= SIGCONT && thread->signal <= SIGTTOU;
	if (!fault && !job_control && !thread->masked) {
		mask_signals(thread);
		SYS(NR_ptrace, PTRACE_INTERRUPT, thread->tid, 0, 0);
	} else {
		unmask_signals(thread);
	}
	let_go(thread, PTRACE_CONT);
}

void let_go(struct thread *thread, int request)
{
	thread->stepping = request == PTRACE_SINGLESTEP;
	/* From before a call not to behind it: a stop there would take the place of one that we have asked for. */
	if (request == PTRACE_CONT && (thread->masked || (thread->process->space->planted && !thread->enters)))
		request = PTRACE_SYSCALL;
	thread->enters = thread->forks = false;
	thread->process->space->watched &= request != PTRACE_CONT || thread->still;
	thread->still = false;
	SYS(NR_ptrace, request, thread->tid, 0, thread->signal); /* ESRCH: killed meanwhile, its end will be reported */
	thread->signal = 0;
	thread->stop = RUNNING;
	thread->verdict = UNSEEN;
}

struct thread *find_thread(struct session *session, int tid)
{
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->tid == tid && thread->stop != GONE)
			return thread;
	return NULL;
}

bool is_live(const struct thread *thread)
{
	return thread->stop != GONE && !thread->process->gone;
}

struct process *find_process(struct session *session, int pid)
{
	for (struct process *process = session->processes; process; process = process->next)
		if (process->pid == pid && !process->gone)
			return process;
	return NULL;
}

struct process *add_process(struct session *session, int pid, struct space *space)
{
	struct process *process = allocate(sizeof *process);
	process->pid = pid;
	process->space = space;
	for (struct process *other = session->processes; other; other = other->next)
		process->borrows |= !other->gone && other->space == space;
	struct process **end = &session->processes;
	while (*end)
		end = &(*end)->next;
	return *end = process;
}

struct thread *add_thread(struct session *session, struct process *process, int tid)
{
	struct thread *thread = allocate(sizeof *thread);
	thread->process = process;
	thread->tid = tid;
	thread->next = session->threads;
	session->threads = thread;
	return thread;
}
