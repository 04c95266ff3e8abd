/* Attaching to the threads of a tree, taking in their events, waiting (ptrace(2)). */
#include "session.h"

enum { SYSCALL_STOP = 0x80, NT_PRSTATUS = 1, SIG_BLOCK = 0, P_GRACE = 20 /* ms, see may_execute */ };

struct vector {
	void *data;
	size_t size;
};

/* The head of siginfo_t, in a place of its full size. */
struct signal_info {
	int signal, error, code, pad[29];
};
_Static_assert(sizeof(struct signal_info) == 128, "siginfo_t");

struct peek {
	uint64_t offset;
	uint32_t flags;
	int32_t count;
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
static const uint64_t awaited = 1ul << (SIGCHLD - 1) | 1ul << (SIGHUP - 1) | 1ul << (SIGINT - 1) | 1ul << (SIGTERM - 1);

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
	if (request == PTRACE_CONT && thread->masked)
		request = PTRACE_SYSCALL;
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

static struct process *find_process(struct session *session, int pid)
{
	for (struct process *process = session->processes; process; process = process->next)
		if (process->pid == pid && !process->gone)
			return process;
	return NULL;
}

static struct process *add_process(struct session *session, int pid, struct space *space)
{
	struct process *process = allocate(sizeof *process);
	process->pid = pid;
	process->space = space;
	struct process **end = &session->processes;
	while (*end)
		end = &(*end)->next;
	return *end = process;
}

static struct thread *add_thread(struct session *session, struct process *process, int tid)
{
	struct thread *thread = allocate(sizeof *thread);
	thread->process = process;
	thread->tid = tid;
	thread->next = session->threads;
	session->threads = thread;
	return thread;
}

/* --- attaching ------------------------------------------------------------------------------------------------ */

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
	add_thread(session, add_process(session, session->root, space), session->root)->stop = INSIDE;
	return true;
}

/* --- events --------------------------------------------------------------------------------------------------- */

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
	if (space)
		process->space = space;
	else
		process->gone = true; /* open_space has recorded why; nothing of ours is in the new program */
}

static bool trap_is_pending(const struct thread *thread)
{
	struct signal_info infos[8];
	struct peek peek = { 0, 0, 8 };
	long count = SYS(NR_ptrace, PTRACE_PEEKSIGINFO, thread->tid, &peek, infos);
	for (long i = 0; i < count; i++)
		if (infos[i].signal == SIGTRAP)
			return true;
	return false;
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
	return (thread->stepping || is_ours(session, thread->process->space, pc)) && trap_is_pending(thread);
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

static bool take_in_events(struct session *session)
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

/* --- stopping --------------------------------------------------------------------------------------------------- */

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
	long soon = now() + P_GRACE;
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
			soon = now() + P_GRACE;
		if (!wait_events(session, soon < until ? soon : until) && (now() >= until || session->cancelled))
			return false;
	}
}
