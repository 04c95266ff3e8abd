/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See commands.h. */
#include "commands.h"
#include "anchor.h"
#include "clocks.h"
#include "files.h"
#include "guard.h"
#include "mend.h"
#include "sockets.h"
#include "withhold.h"

enum { KILL_TIME = 20000, QUIET_TIME = 3000, ZOMBIE_TIME = 5000, ZOMBIE_PAUSE = 2, KILL_ROUNDS = 20 };

/* Prints an answer; the exit status: `status`, or 1 if the answer cannot be given. */
static int finish(struct text *out, int status)
{
	append(out, "\n", 1);
	return write_all(1, out->data, out->size) < 0 ? 1 : status;
}

static void print_failure(struct text *out, const char *error, const char *message)
{
	print(out, "{\"ok\": false, \"error\": %j, \"message\": %j}", error, message);
}

int report_failure(const char *error, const char *message)
{
	struct text out = { 0 };
	print_failure(&out, error, message);
	return finish(&out, 1);
}

int report_success(void)
{
	struct text out = { 0 };
	print(&out, "{\"ok\": true}");
	return finish(&out, 0);
}

/* --- terminal ------------------------------------------------------------------------------------------------------ */

/* That of a program, from its supervisor; false, with the failure reported. */
static bool find_terminal(const struct options *options, int pid, struct terminal *terminal)
{
	long result = borrow_terminal(terminal, pid, options->launch.terminal);
	if (result < 0)
		report_failure("system", format("process %d: its terminal cannot be reached: errno %d", (long)pid, -result));
	return result == 0;
}

int command_attach(const struct options *options)
{
	struct terminal terminal;
	int supervisor = (int)status_number(options->pid, "PPid");
	if (!find_terminal(options, options->pid, &terminal))
		return 1;
	long result = converse(&terminal, supervisor, options->launch.terminal, options->offset);
	return result < 0 ? report_failure("system", format("%s: cannot be read: errno %d", options->launch.terminal, -result)) : 0;
}

int command_resize(const struct options *options)
{
	struct terminal terminal;
	if (!find_terminal(options, options->pid, &terminal))
		return 1;
	resize_terminal(&terminal, options->launch.window);
	return report_success();
}

/* --- pause ------------------------------------------------------------------------------------------------------- */

static int report_pause(struct session *session, long started)
{
	struct text out = { 0 };
	bool good = !session->error;
	print(&out, "{\"ok\": %s, \"pid\": %d, \"milliseconds\": %d, \"steps\": %d, ", good ? "true" : "false", (long)session->root,
	      now() - started, session->steps);
	if (!good)
		print(&out, "\"error\": %j, \"message\": %j, \"tid\": %d, ", session->error, session->message, (long)session->tid);
	print(&out, "\"threads\": ");
	print_threads(&out, session, !good);
	print(&out, "}");
	return finish(&out, good ? 0 : 1);
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
}

/* Ends the group stops of a tree; 0, or -errno with the failure reported. */
static long continue_tree(const struct numbers *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		long result = SYS(NR_kill, tree->items[i], SIGCONT);
		if (result < 0 && result != -ESRCH) {
			report_failure("denied", format("process %d: cannot be continued: errno %d", (long)tree->items[i], -result));
			return result;
		}
	}
	return 0;
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

/* --- run ------------------------------------------------------------------------------------------------------- */

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
	return finish(&out, 0);
}

/* --- dump, restore ------------------------------------------------------------------------------------------------ */

/*
 * For criu, which must not end while code of its own is in the program: a trap that nobody sees any more would end that as well. A lost
 * connection asks us to end, and nobody reads what we say. What is ignored stays so through execve; SIGKILL remains for one that hangs.
 */
static void heed_nobody(void)
{
	static const int signals[] = { SIGHUP, SIGINT, 13 /* SIGPIPE */, SIGTERM };
	uint64_t ignored[4] = { 1 /* SIG_IGN */ };
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		SYS(NR_rt_sigaction, signals[i], ignored, 0, sizeof(uint64_t));
}

/* Which files there were before criu gave some a name: kept until the tree goes on, longer than an image. */
static const char *kept_names(const struct options *options)
{
	return format("%s.names", options->guard);
}

static long keep_names(const struct options *options)
{
	struct text names = { 0 };
	return read_text(options->list, &names) ? write_file(kept_names(options), &names) : -EIO;
}

static void remove_names(const struct options *options)
{
	remove_links(options->launch.directory, kept_names(options));
	SYS(NR_unlinkat, AT_FDCWD, kept_names(options), 0);
}

/* criu answers for itself: this becomes it, or is silent but for its exit status. */
int command_dump(const struct options *options)
{
	const char *directory = options->launch.directory;
	if (options->guard)
		remove_names(options); /* of an earlier dump, if the tree has stood since */
	long result = list_files(directory, options->list, options->moves);
	if (result == 0 && options->guard)
		result = keep_names(options);
	if (result < 0)
		return report_failure("system", format("%s: its files cannot be listed: errno %d", directory, -result));
	if (options->clocks && (result = list_clocks(options->pid, options->clocks)) < 0)
		return report_failure("system", format("%s: cannot be written: errno %d", options->clocks, -result));
	struct launch launch = options->launch;
	struct terminal terminal;
	if (launch.terminal && !find_terminal(options, options->pid, &terminal))
		return 1;
	if (launch.terminal && !(launch.argv = declare_terminal(&terminal, launch.argv, launch.key)))
		return report_failure("system", format("%s: cannot be written", launch.key));
	if (launch.network && ((result = unplug(options->pid)) < 0 || (result = enter_network(options->pid)) < 0))
		return report_failure("system", format("process %d: its network cannot be entered: errno %d", (long)options->pid, -result));
	if (options->guard && (result = keep_tree(options->pid, options->guard)) < 0)
		return report_failure("system", format("process %d: %s cannot be written, or the process not be traced: errno %d", (long)options->pid, options->guard, -result));
	heed_nobody();
	if (!options->owed) {
		anchor_descriptors();
		result = execute(&launch);
		return report_failure("system", format("%s: cannot be executed: errno %d", options->launch.argv[0], -result));
	}
	result = dump_withholding(&launch, options->pid, options->owed);
	return result < 0 ? report_failure("system", format("a dump without large memory failed: errno %d", -result)) : (int)result;
}

/*
 * The next process that is made here gets a higher id than all of the tree, as it would have at home. criu builds what processes
 * share in that with the lowest id: in a child that came to life after a move this may be missing what the parent's state needs.
 * Not the next higher one, which a process at home may have got meanwhile: the tree may want to go back.
 */
static void count_on(int pid)
{
	static const char last_file[] = "/proc/sys/kernel/ns_last_pid";
	struct numbers tree = tree_of(pid);
	uint64_t limit = 0, last = 0, highest = 0;
	if (!read_number("/proc/sys/kernel/pid_max", &limit) || !read_number(last_file, &last))
		return;
	for (size_t i = 0; i < tree.count; i++) {
		struct numbers threads = threads_of(tree.items[i]);
		for (size_t k = 0; k < threads.count; k++)
			highest = (uint64_t)threads.items[k] > highest ? (uint64_t)threads.items[k] : highest;
	}
	if (last >= highest || limit <= highest)
		return;
	int fd = open_file(last_file, O_WRONLY);
	char *number = format("%d", (long)(highest + (limit - highest) / 2));
	(void)write_all(fd, number, strlen(number)); /* without the right to: as it is */
	SYS(NR_close, fd);
}

static void print_state(struct text *out, const struct index *index, int pid, int tid)
{
	char state[2] = { state_of(pid, tid) };
	uint64_t pc;
	long call;
	print(out, "{\"tid\": %d, \"state\": %j", (long)tid, state);
	if (position_of(pid, tid, &call, &pc)) {
		print(out, ", \"call\": %d, ", call);
		print_place(out, index, pc);
	}
	print(out, "}");
}

/* In the middle of its end: it has no address space any more, and is no zombie yet. */
static bool is_ending(int pid)
{
	char first;
	return SYS(NR_readlinkat, AT_FDCWD, format("/proc/%d/exe", (long)pid), &first, 1) < 0;
}

/* A tree as JSON: its processes with their threads. */
static void print_tree(struct text *out, const struct numbers *tree)
{
	bool more = false;
	print(out, "[");
	for (size_t i = 0; i < tree->count; i++) {
		const char *why;
		struct index *index = index_of(tree->items[i], &why);
		if (!index && is_ending(tree->items[i]))
			continue;
		struct numbers threads = threads_of(tree->items[i]);
		print(out, "%s{\"pid\": %d, \"index\": %s, \"threads\": [", more ? ", " : "", (long)tree->items[i], index ? "true" : "false");
		for (size_t t = 0; t < threads.count; t++) {
			print(out, "%s", t ? ", " : "");
			print_state(out, index, tree->items[i], threads.items[t]);
		}
		print(out, "]}");
		more = true;
	}
	print(out, "]");
}

int command_restore(const struct options *options)
{
	struct outcome outcome = restore(&options->launch);
	struct text out = { 0 };
	if (outcome.error)
		return report_failure("system", format("%s: errno %d", outcome.step, (long)outcome.error));
	if (outcome.status) {
		long signal = outcome.status & 0x7f, status = outcome.status >> 8 & 0xff;
		return report_failure("criu", signal ? format("criu was killed by signal %d", signal) : format("criu failed with status %d", status));
	}
	long unnamed = options->list ? name_files(options->launch.directory, options->list) : 0;
	if (unnamed < 0)
		return report_failure("system", format("%s: its files cannot be given their numbers: errno %d", options->launch.directory, -unnamed));
	unnamed += note_moves(outcome.pid, options->moves) < 0;
	count_on(outcome.pid);
	print(&out, "{\"ok\": true, \"pid\": %d, \"unnamed\": %d, \"processes\": ", (long)outcome.pid, unnamed);
	struct numbers tree = tree_of(outcome.pid); /* a status of 0 of criu does not mean that all of them live */
	print_tree(&out, &tree);
	print(&out, "}");
	return finish(&out, 0);
}

/* --- resume, kill, status ------------------------------------------------------------------------------------------ */

static const char *no_process(int pid)
{
	return format("process %d: does not exist", (long)pid);
}

static int gone(int pid)
{
	return report_failure("gone", no_process(pid));
}

int command_resume(const struct options *options)
{
	struct numbers tree = tree_of(options->pid);
	struct text out = { 0 };
	if (!tree.count)
		return gone(options->pid);
	if (options->list && options->guard)
		remove_names(options);
	if (options->launch.network)
		repair(&tree, false);
	lock_program(options->pid);
	long mended = mend_tree(options->pid, options->guard);
	if (mended < 0)
		return report_failure("system", format("process %d: cannot be made what it was before its dump: errno %d", (long)options->pid, -mended));
	if (continue_tree(&tree) < 0)
		return 1;
	/* Not before: what arrives is acknowledged, and must not be lost with a copy that has never run. */
	long plugged = options->launch.network ? plug(options->pid, options->launch.network) : 0;
	if (plugged < 0)
		return report_failure("network", format("process %d: runs, but its network cannot be plugged in: errno %d", (long)options->pid, -plugged));
	print(&out, "{\"ok\": true, \"pids\": [");
	for (size_t i = 0; i < tree.count; i++)
		print(&out, "%s%d", i ? ", " : "", (long)tree.items[i]);
	print(&out, "]}");
	return finish(&out, 0);
}

/* Stops the whole tree first, so that nobody starts others, or notices that others die. */
static struct numbers stop_tree(int pid)
{
	struct numbers tree = tree_of(pid);
	for (size_t before = 0, round = 0; before != tree.count && round < KILL_ROUNDS; round++) {
		before = tree.count;
		for (size_t i = 0; i < tree.count; i++)
			SYS(NR_kill, tree.items[i], SIGSTOP);
		tree = tree_of(pid);
	}
	return tree;
}

/*
 * Waits until the processes are gone, and their numbers free for a copy that moves in. Zombies that nobody reaps are given up on after a
 * while: they do nothing any more.
 */
static bool await_end(const struct numbers *tree)
{
	for (long start = now(); now() < start + KILL_TIME;) {
		bool zombies = false, others = false;
		for (size_t i = 0; i < tree->count; i++) {
			char state = state_of(tree->items[i], tree->items[i]);
			zombies |= state == 'Z' || state == 'X'; /* the latter for a moment only, but its number is in use */
			others |= state && state != 'Z' && state != 'X';
		}
		if (!others && (!zombies || now() > start + ZOMBIE_TIME))
			return true;
		rest(ZOMBIE_PAUSE);
	}
	return false;
}

int command_kill(const struct options *options)
{
	struct numbers tree = stop_tree(options->pid);
	if (options->moved) {
		long result = replace_file(format("%s/" MOVED_FILE, options->launch.state), "");
		if (result < 0)
			return report_failure("system", format("the file 'moved' cannot be written: errno %d", -result));
	}
	if (!tree.count)
		return gone(options->pid);
	if (options->launch.network) {
		unplug(options->pid);
		repair(&tree, true);
	}
	for (size_t i = 0; i < tree.count; i++)
		SYS(NR_kill, tree.items[i], SIGKILL);
	if (!await_end(&tree))
		return report_failure("timeout", format("process %d: does not end", (long)options->pid));
	return report_success();
}

int print_answer(struct text *out, int pid, const struct numbers *tree)
{
	if (!tree->count) {
		print_failure(out, "gone", no_process(pid));
		return 1;
	}
	print(out, "{\"ok\": true, \"processes\": ");
	print_tree(out, tree);
	print(out, "}");
	return 0;
}

int command_status(const struct options *options)
{
	struct numbers tree = tree_of(options->pid);
	struct text out = { 0 };
	return finish(&out, print_answer(&out, options->pid, &tree));
}

int command_plug(const struct options *options)
{
	long result = plug(options->pid, options->launch.network);
	return result < 0 ? report_failure("network", format("process %d: its network cannot be plugged in: errno %d", (long)options->pid, -result)) : report_success();
}

int command_probe(const struct options *options)
{
	enum { PROBE_TIME = 300 /* ms */ };
	struct text out = { 0 };
	long result = probe_network(&out, options->launch.network, PROBE_TIME);
	return result < 0 ? report_failure("network", format("%s: cannot be asked: errno %d", options->launch.network->bridge, -result)) : finish(&out, 0);
}

int command_peers(const struct options *options)
{
	struct text out = { 0 };
	long result = list_unix_peers(&out, options->pid);
	if (result < 0)
		return report_failure("system", format("unix sockets cannot be listed: errno %d", -result));
	return write_all(1, out.data, out.size) < 0 ? 1 : 0;
}

/* Standard output is a socket of whoever wants the descriptor: no words for people there. */
int command_hand(const struct options *options)
{
	int fd, socket = connect_to(options->launch.directory);
	return socket < 0 || !receive_descriptors(socket, &fd, 1) || !send_descriptors(1, &fd, 1);
}
