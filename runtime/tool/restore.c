/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Restoring a program by criu: see supervise.h. */
#include "supervisor.h"
#include "ahead.h"
#include "poll.h"
#include "proc.h"
#include "secure.h"
#include "shared.h"

enum { END_TIME = 5000, LOOK_PAUSE = 2 /* ms */, TURNS = 25, PR_SET_CHILD_SUBREAPER = 36 };

long execute(const struct launch *how)
{
	static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin" };
	const char *name = how->argv[0];
	for (const char *c = name; *c; c++)
		if (*c == '/')
			return SYS(NR_execve, name, how->argv, how->environment);
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		SYS(NR_execve, format("%s/%s", directories[i], name), how->argv, how->environment);
	return -ENOENT;
}

static _Noreturn void become_criu(const struct launch *how, int report)
{
	long result;
	default_signals();
	SYS(NR_dup3, 2, 1, 0); /* standard output is for our answer */
	result = keep_from_program(3, how->terminal ? FIRST_FOR_CRIU - 1 : ~0u);
	if (result == 0 && how->terminal)
		result = keep_from_program(LAST_FOR_CRIU + 1, ~0u);
	if (result < 0)
		fail(report, result, STEP_DESCRIPTORS);
	/* The restored process keeps criu's choice of where mmap(2) looks first (mm->mmap_base). */
	if (LAYOUT_PERSONALITY >= 0 && (result = SYS(NR_personality, LAYOUT_PERSONALITY)) < 0)
		fail(report, result, STEP_LAYOUT);
	fail(report, execute(how), STEP_EXEC);
}

/* Kills all that we have started, and what that has: criu, and what it has made of a tree so far. */
static void kill_descendants(void)
{
	struct numbers tree = tree_of((int)SYS(NR_getpid));
	for (size_t i = 1; i < tree.count; i++) /* the first is this process */
		SYS(NR_kill, tree.items[i], SIGKILL);
}

/* What a criu that has failed, or was killed, leaves of a tree: all of it has come to us, and none of it was ever let go. */
static void end_descendants(void)
{
	int status;
	for (long until = now() + END_TIME; now() < until; rest(1)) {
		kill_descendants();
		long result;
		while ((result = SYS(NR_wait4, -1, &status, WALL | WNOHANG, 0)) > 0)
			;
		if (result < 0) /* there are no children */
			return;
	}
}

/*
 * Whether criu is to be ended: it has had its time (`until`; 0 for any), or nobody brings the memory any more. What it restores is killed with
 * those, and it may wait for that for ever. Looked at every so many turns.
 */
static bool is_over(const struct launch *how, long until, unsigned turn)
{
	return (until && now() >= until) || (how->borrowed && turn % TURNS == 0 && is_abandoned(how->borrowed));
}

/* As wait4(2), but what is over is killed, and so is what it has started. */
static long wait_until(long child, int *status, const struct launch *how)
{
	struct poll end = { (int)SYS(NR_pidfd_open, child, 0), POLLIN, 0 };
	long until = how->deadline ? now() + (long)how->deadline : 0, result;
	bool over = false;
	for (unsigned turn = 1; (result = SYS(NR_wait4, child, status, WALL | WNOHANG, 0)) == 0 || result == -EINTR; turn++) {
		if ((over = over || is_over(how, until, turn)))
			kill_descendants();
		poll_for(&end, 1, LOOK_PAUSE); /* at once: of what it has made nothing is to run */
	}
	SYS(NR_close, end.fd);
	return result;
}

/* criu ends; the restored process then becomes our child. */
static void adopt_orphans(int report)
{
	long result = SYS(NR_prctl, PR_SET_CHILD_SUBREAPER, 1);
	if (result < 0)
		fail(report, result, STEP_CRIU);
}

static long start_criu(const struct launch *how, int report)
{
	adopt_orphans(report);
	long criu = spawn();
	if (criu == 0)
		become_criu(how, report);
	return criu;
}

/* Started ahead, while what it needs is still to come; the criu that waits for our standard input, which says when that has. */
static struct ahead await_restore(const struct launch *how, int report, struct text *configuration)
{
	static const uint64_t ignored[4] = { 1 /* SIG_IGN */ };
	struct launch waiting = *how;
	struct ahead criu;
	adopt_orphans(report);
	long result = isolate_ahead();
	if (result < 0)
		fail(report, result, STEP_SHARED);
	waiting.argv = configured(how->argv);
	if ((result = begin_ahead(&criu)) == 0)
		become_criu(&waiting, report);
	if (result < 0)
		fail(report, result, STEP_CRIU);
	SYS(NR_rt_sigaction, 13 /* SIGPIPE */, ignored, 0, sizeof *ignored);
	if (!await_configuration(&criu, configuration)) {
		end_descendants();
		leave(1);
	}
	return criu;
}

/* Waits for criu's end; its wait status. Failures are reported, and are the end. */
static int end_criu(long criu, const struct launch *how, int report)
{
	int status = 0;
	if (criu < 0)
		fail(report, criu, STEP_CRIU);
	null_streams();
	long result = wait_until(criu, &status, how);
	if (result < 0)
		fail(report, result, STEP_CRIU);
	return status;
}

/* What the program is to find, and runs criu; its wait status. */
static int run_criu(const struct launch *how, int report, int state, struct terminal *terminal)
{
	struct text configuration = { 0 };
	struct launch with_terminal = *how;
	struct ahead ahead = { 0 };
	if (how->ahead)
		ahead = await_restore(how, report, &configuration);
	long result = reserve_record(state);
	if (result < 0)
		fail(report, result, STEP_STATE);
	if ((result = how->ahead ? provide_shared(how->state) : make_shared(how->state, false)) < 0)
		fail(report, result, STEP_SHARED);
	if ((result = provide_terminal(how, terminal)) < 0)
		fail(report, result, STEP_TERMINAL);
	if (how->terminal && !(with_terminal.argv = inherit_terminal(how->argv, how->key)))
		fail(report, -EINVAL, STEP_KEY);
	if ((result = let_through(how)) < 0)
		fail(report, result, STEP_USER);
	if (how->network && (result = make_network(how->network, false)) < 0)
		fail(report, result, STEP_NETWORK);
	if (how->ahead)
		(void)configure(&ahead, &configuration); /* if it has ended, its status says so */
	return end_criu(how->ahead ? ahead.pid : start_criu(&with_terminal, report), how, report);
}

static _Noreturn void supervise_restore(const struct launch *how, int report, int state)
{
	uint64_t pid = 0;
	struct terminal terminal;
	long result;
	int status = run_criu(how, report, state, &terminal);
	if (status && how->borrowed && is_abandoned(how->borrowed)) {
		end_descendants();
		fail(report, -ETIMEDOUT, STEP_SECURED);
	}
	if (status) {
		end_descendants();
		send(report, 0, 0, status, STEP_CRIU);
		leave(1);
	}
	if (how->borrowed && !is_secured(how->borrowed)) {
		end_descendants();
		fail(report, -ETIMEDOUT, STEP_SECURED);
	}
	if (!read_number(how->pidfile, &pid) || pid > INT32_MAX)
		fail(report, -ENOENT, STEP_READ_PIDFILE);
	if (how->terminal && (result = restore_terminal(&terminal, how->key)) < 0)
		send(report, (int)pid, result, 0, STEP_KEY);
	else
		send(report, (int)pid, 0, 0, STEP_CRIU);
	SYS(NR_prctl, PR_SET_CHILD_SUBREAPER, 0);
	SYS(NR_close, report);
	SYS(NR_chdir, "/");
	supervise(state, (int)pid, how->terminal ? &terminal : NULL, how->network);
}

struct outcome restore(const struct launch *how)
{
	int pipe[2], state = open_state(how->state);
	struct report report;
	long result = state;
	if (result < 0)
		return failed(result, STEP_STATE);
	if ((result = forget(AT_FDCWD, how->pidfile)) < 0)
		return failed(result, STEP_PIDFILE);
	if ((result = SYS(NR_pipe2, pipe, O_CLOEXEC)) < 0)
		return failed(result, STEP_PIPES);
	if ((result = detach()) == 1)
		supervise_restore(how, pipe[1], state);
	if (result < 0)
		return failed(result, STEP_SUPERVISOR);
	SYS(NR_close, pipe[1]);
	if ((result = hear(pipe[0], &report)) < 0)
		return failed(result, report.step);
	return (struct outcome){ .pid = report.pid, .status = report.status };
}
