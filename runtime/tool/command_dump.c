/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Commands around criu: what must be known before a dump, and put right after a restore. */
#include "commands.h"
#include "ahead.h"
#include "anchor.h"
#include "attributes.h"
#include "clocks.h"
#include "files.h"
#include "mend.h"
#include "shared.h"
#include "withhold.h"

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

void remove_names(const struct options *options)
{
	remove_links(options->launch.directory, kept_names(options));
	remove_mount_points(options->pid);
	SYS(NR_unlinkat, AT_FDCWD, kept_names(options), 0);
}

/* What must be known before a dump; 0, or the exit status, with the failure reported. */
static int note_all(const struct options *options)
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
	if (options->attributes && (result = list_attributes(options->pid, options->attributes, options->mappings)) < 0)
		return report_failure("system", format("%s: cannot be written: errno %d", options->attributes, -result));
	return 0;
}

static int keep_guard(const struct options *options)
{
	long result = options->guard ? keep_tree(options->pid, options->guard) : 0;
	return result == 0 ? 0 : report_failure("system", format("process %d: %s cannot be written, or the process not be traced: errno %d", (long)options->pid, options->guard, -result));
}

static int enter_mounts(int pid)
{
	long result = enter_shared(pid);
	return result == 0 ? 0 : report_failure("system", format("process %d: its /dev/shm cannot be entered: errno %d", (long)pid, -result));
}

static int become_criu(const struct launch *launch)
{
	anchor_descriptors();
	long result = execute(launch);
	return report_failure("system", format("%s: cannot be executed: errno %d", launch->argv[0], -result));
}

/* In the child, which has our signals. As who becomes criu below, but that it ends with us. */
static _Noreturn void await_dump(const struct options *options)
{
	enum { PR_SET_PDEATHSIG = 1 };
	struct launch launch = options->launch;
	SYS(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
	launch.argv = configured(launch.argv);
	int failed = enter_mounts(options->pid);
	leave(failed ? failed : become_criu(&launch));
}

/* What it is asked to do until the program stands is to end: its input does, then. */
static int dump_ahead(const struct options *options)
{
	struct ahead criu;
	struct text configuration = { 0 };
	int status = 0;
	heed_nobody();
	long result = begin_ahead(&criu);
	if (result == 0)
		await_dump(options);
	if (result < 0)
		return report_failure("system", format("criu cannot be started: errno %d", -result));
	int failed = await_configuration(&criu, &configuration) ? 0 : 1;
	if (!failed)
		failed = note_all(options);
	if (!failed)
		failed = keep_guard(options);
	if (failed) {
		give_up(&criu);
		return failed;
	}
	(void)configure(&criu, &configuration); /* if it has ended, its status says so */
	SYS(NR_wait4, criu.pid, &status, WALL, 0);
	return exit_status(status);
}

/* criu answers for itself: this becomes it, or is silent but for its exit status. */
int command_dump(const struct options *options)
{
	struct launch launch = options->launch;
	struct terminal terminal;
	long result;
	if (launch.ahead)
		return dump_ahead(options);
	int failed = note_all(options);
	if (failed)
		return failed;
	if (launch.terminal && !find_terminal(options, options->pid, &terminal))
		return 1;
	if (launch.terminal && !(launch.argv = declare_terminal(&terminal, launch.argv, launch.key)))
		return report_failure("system", format("%s: cannot be written", launch.key));
	if (launch.network && ((result = unplug(options->pid)) < 0 || (result = enter_network(options->pid)) < 0))
		return report_failure("system", format("process %d: its network cannot be entered: errno %d", (long)options->pid, -result));
	if ((failed = keep_guard(options)) || (failed = enter_mounts(options->pid)))
		return failed;
	heed_nobody();
	if (!options->owed)
		return become_criu(&launch);
	result = dump_withholding(&launch, options->pid, options->owed, options->mappings);
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
	long lost = 0, set = options->attributes ? set_attributes(options->attributes, &lost) : 0;
	if (set < 0)
		return report_failure("system", format("%s: what it says cannot be set in what was restored: errno %d", options->attributes, -set));
	unnamed += note_moves(outcome.pid, options->moves) < 0;
	count_on(outcome.pid);
	print(&out, "{\"ok\": true, \"pid\": %d, \"unnamed\": %d, \"lost\": %d, \"processes\": ", (long)outcome.pid, unnamed, lost);
	struct numbers tree = tree_of(outcome.pid); /* a status of 0 of criu does not mean that all of them live */
	print_tree(&out, &tree);
	print(&out, "}");
	return report(&out, 0);
}
