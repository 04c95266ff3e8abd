/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See commands.h. Those of one tree that need little room: its terminal, its life and end, its network. */
#include "commands.h"
#include "files.h"
#include "guard.h"
#include "mend.h"
#include "sockets.h"

enum { KILL_TIME = 20000, ZOMBIE_TIME = 5000, ZOMBIE_PAUSE = 2, KILL_ROUNDS = 20 };

/* --- terminal ------------------------------------------------------------------------------------------------------ */

bool find_terminal(const struct options *options, int pid, struct terminal *terminal)
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

/* --- trees -------------------------------------------------------------------------------------------------------- */

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

void print_tree(struct text *out, const struct numbers *tree)
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

/* --- resume, kill, status ------------------------------------------------------------------------------------------ */

static const char *no_process(int pid)
{
	return format("process %d: does not exist", (long)pid);
}

long continue_tree(const struct numbers *tree)
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
	return report(&out, 0);
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
	return report(&out, print_answer(&out, options->pid, &tree));
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
	return result < 0 ? report_failure("network", format("%s: cannot be asked: errno %d", options->launch.network->bridge, -result)) : report(&out, 0);
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
