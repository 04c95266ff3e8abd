/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See guard.h. */
#include "guard.h"
#include "remote.h"
#include "track.h"

enum { BELOW = 512 /* of a stack pointer: out of the red zone */, SEIZE_TIME = 2000, LOCK_TIME = 5000, LOCK_PAUSE = 1, LOCK_EX = 2, LOCK_NB = 4, LEAVES_SIGNALS = 0x44000004 /* SA_SIGINFO, SA_RESTORER, SA_NODEFER */ };

/* The kernel's struct sigaction on both ISAs. */
struct action {
	uint64_t handler, flags, restorer, mask;
};

/* In siginfo_t. */
enum { INFO_CODE = 8 };

void lock_program(int pid)
{
	int fd = open_file(format("/proc/%d/exe", (long)pid), O_RDONLY);
	for (long until = now() + LOCK_TIME; fd >= 0 && SYS(NR_flock, fd, LOCK_EX | LOCK_NB) == -EAGAIN && now() < until;)
		rest(LOCK_PAUSE);
}

bool catches_traps(int pid)
{
	char *text = read_file(format("/proc/%d/status", (long)pid));
	const char *name = "\nSigCgt:\t";
	for (char *at = text; at && *at; at++) {
		if (memcmp(at, name, strlen(name) < strlen(at) ? strlen(name) : strlen(at)))
			continue;
		at += strlen(name);
		return strlen(at) >= 16 && ((at[14] >= '0' && at[14] <= '9' ? at[14] - '0' : at[14] - 'a' + 10) & 1);
	}
	return false;
}

static long call_with_action(int tid, int memory, uint64_t trap, struct action *new, struct action *old, struct call *call)
{
	struct registers registers;
	if (get_registers(tid, &registers) < 0)
		return -ESRCH;
	uint64_t place = (stack_pointer(&registers) - BELOW) & ~(uint64_t)15, size = sizeof *new;
	uint64_t arguments[4] = { SIGTRAP, new ? place : 0, old ? place + size : 0, 8 };
	if (new && SYS(NR_pwrite64, memory, new, size, place) != (long)size)
		return -EIO;
	long result = 0, done = call_remotely(tid, trap, NR_rt_sigaction, arguments, call, &result);
	if (done == 0 && result == 0 && old && SYS(NR_pread64, memory, old, size, place + size) != (long)size)
		return -EIO;
	return done ? done : result;
}

long set_guard(int pid, int tid, const struct index *index, bool guarded, struct call *call)
{
	struct action old = { 0 }, none = { 0 };
	if (!guarded && !catches_traps(pid))
		return 0;
	int memory = open_file(format("/proc/%d/mem", (long)pid), O_RDWR);
	uint64_t trap = trap_of(index);
	if (memory < 0 || !trap)
		return -ESRCH;
	long result = call_with_action(tid, memory, trap, NULL, &old, call);
	bool ours = old.handler == GUARD || old.handler == GUARD_IGNORED;
	struct action guard = { old.handler ? GUARD_IGNORED : GUARD, LEAVES_SIGNALS, GUARD, 0 };
	none.handler = old.handler == GUARD_IGNORED;
	if (result == 0 && guarded && old.handler <= 1) /* SIG_DFL, SIG_IGN */
		result = call_with_action(tid, memory, trap, &guard, NULL, call);
	else if (result == 0 && !guarded && ours)
		result = call_with_action(tid, memory, trap, &none, NULL, call);
	SYS(NR_close, memory);
	return result;
}

struct thread *caller(struct session *session, const struct process *process)
{
	struct thread *found = NULL;
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->process == process && (thread->stop == STOPPED || thread->stop == BREAKPOINT) && (!found || found->verdict == IN_CALL))
			found = thread;
	return found;
}

/*
 * A breakpoint that meets a thread with SIGTRAP blocked makes the kernel forget the handler. Who stands in a handler of its own, of which the
 * mask is, gets its former one back at its end, and is not given this one again.
 */
static void admit_trap(struct thread *thread)
{
	uint64_t mask;
	if (get_mask(thread->tid, &mask) < 0 || !(mask & TRAP_MASK))
		return;
	thread->blocks_traps |= is_accepted(thread);
	put_mask(thread->tid, mask & ~(uint64_t)TRAP_MASK);
}

static void keep_out_traps(struct thread *thread)
{
	uint64_t mask;
	if (thread->blocks_traps && get_mask(thread->tid, &mask) == 0)
		put_mask(thread->tid, mask | TRAP_MASK);
	thread->blocks_traps = false;
}

static void each_stopped(struct session *session, const struct process *process, void (*action)(struct thread *thread))
{
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->process == process && thread->stop != RUNNING && thread->stop != GONE && !thread->masked)
			action(thread);
}

bool guard_process(struct session *session, struct process *process)
{
	struct thread *thread = caller(session, process);
	if (process->guarded)
		each_stopped(session, process, admit_trap);
	if (process->guarded || process->borrows || !session->guardian || !thread)
		return true;
	if (!hold_process(session, process, thread))
		return false;
	process->guarded = true;
	each_stopped(session, process, admit_trap);
	set_guard(process->pid, thread->tid, process->space->index, true, &session->call); /* as well as it goes */
	return true;
}

void unguard_process(struct session *session, struct process *process)
{
	struct thread *thread = caller(session, process);
	if (!process->guarded || !thread)
		return;
	if (set_guard(process->pid, thread->tid, process->space->index, false, &session->call) == 0)
		process->guarded = false;
	each_stopped(session, process, keep_out_traps);
}

/* --- the guardian: what is known is in the session, and nothing moves any more --- */

static struct thread *known(struct session *session, int tid)
{
	for (struct thread *thread = session->threads; thread; thread = thread->next)
		if (thread->tid == tid)
			return thread;
	return NULL;
}

/* Where a breakpoint that the tracer did not take notice of has taken a thread: it stands behind it on some ISAs. */
static void step_back(const struct space *space, int memory, const struct thread *thread, int tid, bool sure)
{
	struct registers registers;
	uint8_t there[sizeof breakpoint];
	if (!BREAKPOINT_REWIND || !space->planted || get_registers(tid, &registers) < 0)
		return;
	uint64_t pc = program_counter(&registers) - BREAKPOINT_REWIND;
	if (!may_stop_at(space->index, pc) || SYS(NR_pread64, memory, there, sizeof there, pc) != (long)sizeof there || memcmp(there, breakpoint, sizeof there))
		return;
	if (!sure && thread && (thread->stop != RUNNING || thread->pc == pc))
		return;
	set_program_counter(&registers, pc);
	put_registers(tid, &registers);
}

static void mend_thread(struct session *session, const struct process *process, int memory, int tid)
{
	struct thread *thread = known(session, tid);
	struct registers registers;
	const struct space *space = process->space;
	uint64_t mask;
	if (session->call.tid == tid) {
		if (!session->call.masked)
			put_registers(tid, &session->call.registers);
		put_mask(tid, session->call.mask);
	}
	take_pending_trap(tid);
	if (get_registers(tid, &registers) < 0)
		return;
	int code = 0;
	bool trapped = program_counter(&registers) == GUARD || program_counter(&registers) == GUARD_IGNORED;
	if (trapped) {
		SYS(NR_pread64, memory, &code, sizeof code, handler_info(&registers) + INFO_CODE);
		leave_handler(tid, trap_of(space->index));
	}
	step_back(space, memory, thread, tid, trapped && code == BREAKPOINT_CODE);
	if (!thread)
		return;
	if (thread->masked)
		put_mask(tid, thread->mask);
	if (thread->blocks_traps && get_mask(tid, &mask) == 0)
		put_mask(tid, mask | TRAP_MASK);
	if (thread->signal && thread->signal != SIGSTOP)
		SYS(NR_tgkill, process->pid, tid, thread->signal);
}

static void mend_process(struct session *session, const struct process *process)
{
	struct call call = { 0 };
	struct space *space = process->space;
	struct numbers threads = threads_of(process->pid), seized = { 0 };
	int memory = open_file(format("/proc/%d/mem", (long)process->pid), O_RDWR);
	for (size_t i = 0; i < threads.count; i++)
		if (seize_stopped(threads.items[i], SEIZE_TIME))
			add_number(&seized, threads.items[i]);
	for (size_t i = 0; i < seized.count; i++)
		mend_thread(session, process, memory, seized.items[i]);
	if (space->text)
		SYS(NR_pwrite64, memory, space->text, space->index->text_end - space->index->text_start, space->index->text_start);
	if (seized.count && session->tracks)
		close_tracked(process->pid, seized.items[0], space->index);
	if (seized.count)
		set_guard(process->pid, seized.items[0], space->index, false, &call);
	for (size_t i = 0; i < seized.count; i++)
		SYS(NR_ptrace, PTRACE_DETACH, seized.items[i], 0, 0);
	SYS(NR_close, memory);
}

/* A child that its tracer had not seen yet has its parent's breakpoints. */
static void take_in_children(struct session *session)
{
	struct numbers tree = tree_of(session->root);
	const char *why;
	for (size_t i = 0; i < tree.count; i++)
		if (session->spaces && !find_process(session, tree.items[i]) && index_of(tree.items[i], &why) == session->spaces->index)
			add_process(session, tree.items[i], session->spaces)->guarded = true;
}

/* Everything is taken back, as by roll_back, and the program runs on. */
static void mend(struct session *session)
{
	take_in_children(session);
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone)
			SYS(NR_kill, process->pid, SIGSTOP);
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone)
			mend_process(session, process);
	for (struct process *process = session->processes; process; process = process->next)
		if (!process->gone && !process->was_stopped)
			SYS(NR_kill, process->pid, SIGCONT);
}

void start_guardian(struct session *session)
{
	int ends[2];
	char word;
	if (SYS(NR_pipe2, ends, O_CLOEXEC) < 0)
		return;
	long pid = spawn();
	if (pid == 0) {
		share_memory(false);
		SYS(NR_setsid);
		SYS(NR_close_range, 0, 2, 0);
		SYS(NR_close, ends[1]);
		if (SYS(NR_read, ends[0], &word, 1) == 0)
			mend(session);
		leave(0);
	}
	SYS(NR_close, ends[0]);
	session->guardian = pid > 0 ? ends[1] : 0;
}

void dismiss_guardian(struct session *session)
{
	if (session->guardian)
		(void)write_all(session->guardian, ".", 1);
	session->guardian = 0;
}
