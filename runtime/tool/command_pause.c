/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Commands that leave a tree at equivalence points: one that runs already, and one that is started so. */
#include "commands.h"
#include "files.h"
#include "guard.h"

enum { QUIET_TIME = 3000 };

/* Whether criu makes a directory among the files while it dumps, since a process sees no /proc: who copies them has to wait for that. */
static bool is_apart(const struct session *session)
{
	for (const struct process *process = session->processes; process; process = process->next)
		if (!process->gone && !has_proc(process->pid))
			return true;
	return false;
}

static int report_pause(struct session *session, long started)
{
	struct text out = { 0 };
	bool good = !session->error;
	print(&out, "{\"ok\": %s, \"pid\": %d, \"milliseconds\": %d, \"steps\": %d, \"watched\": %d, \"apart\": %s, ", good ? "true" : "false",
	      (long)session->root, now() - started, session->steps, session->watched, is_apart(session) ? "true" : "false");
	if (!good)
		print(&out, "\"error\": %j, \"message\": %j, \"tid\": %d, ", session->error, session->message, (long)session->tid);
	print(&out, "\"threads\": ");
	print_threads(&out, session, !good);
	print(&out, "}");
	return report(&out, good ? 0 : 1);
}

/* `terminal`: the program's, or NULL; what it has printed there is in the log when it is stopped, before anyone copies that. */
static int pause_and_report(struct session *session, long started, const struct terminal *terminal)
{
	if (!session->error && !pause_tree(session) && !session->error)
		refuse(session, "internal", 0, "failed without a reason");
	long result = !session->error && terminal ? log_output(terminal) : 0;
	if (result < 0)
		refuse(session, "system", 0, "what was printed at the terminal cannot be logged: errno %d", -result);
	if (session->error)
		roll_back(session);
	int status = report_pause(session, started);
	dismiss_guardian(session); /* whoever kills us before has got no answer, or does not believe it: our status is that of a failure */
	return status;
}

static void set_up(struct session *session, const struct options *options, int pid)
{
	session_start(session, pid, (long)options->timeout);
	session->at = options->at;
	session->count = (long)options->count;
	session->mappings = options->mappings;
}

static long run_for(int pid, uint64_t microseconds)
{
	struct numbers tree = tree_of(pid);
	struct timespec time = { (long)(microseconds / 1000000), (long)(microseconds % 1000000 * 1000) };
	uint64_t none = 0;
	long result = continue_tree(&tree);
	if (result == 0)
		SYS(NR_rt_sigtimedwait, &none, 0, &time, sizeof none);
	return result;
}

int command_pause(const struct options *options)
{
	struct terminal terminal;
	const char *log = options->launch.terminal;
	const struct network *network = options->launch.network;
	if (log && !find_terminal(options, options->pid, &terminal))
		return 1;
	if (options->run && run_for(options->pid, options->run) < 0)
		return 1;
	long started = now(), quiet = network ? unplug_quietly(options->pid, network, QUIET_TIME) : 0;
	if (quiet < 0)
		return report_failure(quiet == -EAGAIN ? "connecting" : "network",
				      quiet == -EAGAIN ? format("process %d: has not accepted all connections within %d s", (long)options->pid, (long)QUIET_TIME / 1000) :
							 format("process %d: its network cannot be unplugged: errno %d", (long)options->pid, -quiet));
	lock_program(options->pid);
	share_memory(true); /* with the guardian */
	struct session *session = allocate(sizeof *session);
	set_up(session, options, options->pid);
	attach_tree(session);
	int status = pause_and_report(session, started, log ? &terminal : NULL);
	if (status && network)
		plug(options->pid, network);
	return status;
}

static bool seize_program(void *context, int pid)
{
	struct session *session = context;
	session->root = pid;
	long result = SYS(NR_ptrace, PTRACE_SEIZE, pid, 0, TRACE_OPTIONS);
	return result == 0 || refuse(session, "denied", pid, "process %d: cannot be traced: errno %d", (long)pid, -result);
}

/* Waits for the program's exec. */
static bool await_exec(struct session *session)
{
	int status = 0;
	for (;;) {
		if (SYS(NR_wait4, session->root, &status, WALL, 0) < 0 || (status & 0xff) != 0x7f)
			return refuse(session, "system", session->root, "the program cannot be executed");
		if (status >> 16 == EVENT_EXEC)
			return adopt_root(session);
		SYS(NR_ptrace, PTRACE_CONT, session->root, 0, status >> 16 ? 0 : status >> 8 & 0xff);
	}
}

int command_run(const struct options *options)
{
	struct session at_start = { 0 };
	long started = now();
	if (options->pause)
		set_up(&at_start, options, 0);
	struct outcome outcome = launch(&options->launch, options->pause ? seize_program : NULL, &at_start);
	if (outcome.error)
		return report_failure("system", format("%s: errno %d", outcome.step, (long)outcome.error));
	share_memory(true); /* with the guardian, but not with the supervisor */
	struct session *session = allocate(sizeof *session);
	*session = at_start;
	if (session->error || (options->pause && !await_exec(session)))
		return report_pause(session, started);
	if (options->pause) {
		struct terminal terminal;
		const char *log = options->launch.terminal;
		long result = log ? borrow_terminal(&terminal, outcome.pid, log) : 0;
		if (result < 0)
			refuse(session, "system", outcome.pid, "process %d: its terminal cannot be reached: errno %d", (long)outcome.pid, -result);
		return pause_and_report(session, started, log && result == 0 ? &terminal : NULL);
	}
	struct text out = { 0 };
	print(&out, "{\"ok\": true, \"pid\": %d}", (long)outcome.pid);
	return report(&out, 0);
}
