/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See supervise.h. */
#include "supervise.h"
#include "proc.h"

enum { P_PID = 1, WEXITED = 4, WNOWAIT = 0x01000000, CLD_EXITED = 1 };
enum { END_TIME = 5000, PR_SET_CHILD_SUBREAPER = 36, CLOSE_RANGE_CLOEXEC = 4, O_DIRECTORY_PATH = 010000000 /* O_PATH */, CLONE_NEWIPC = 0x08000000, SIG_SETMASK = 2 };
enum { ALL_SIGNALS = 64, AT_SUPERVISOR = 100, F_SETFD = 2, FD_CLOEXEC = 1, MOST_DESCRIPTORS = 1 << 16, FULL_DISK_PAUSE = 200 /* ms */ };
enum { PASS_THROUGH = 0710, NOBODY = -1 };
enum { PROGRAM_UMASK = 022 }; /* what logins give; ours is private (main.c) */

/* linux/signal.h and asm-generic/siginfo.h; the kernel's struct sigaction is shorter on aarch64, zeros behind it do no harm. */
struct child_info {
	int32_t signal, error, code, pad, pid;
	uint32_t uid;
	int32_t status, rest[25];
};
_Static_assert(sizeof(struct child_info) == 128, "siginfo_t");

/* What goes through the pipe from the supervisor (its start) and from the program before exec (its failure). */
struct report {
	int32_t pid, error, status, step;
};

static const char *const steps[] = { "the supervisor cannot be started", "the working directory cannot be entered",
	"standard input cannot be opened", "standard output cannot be opened", "standard error cannot be opened",
	"a System V IPC namespace of its own cannot be made for the program", "a terminal cannot be made for the program",
	"the program cannot be executed", "the pid file cannot be written", "the pid file cannot be read",
	"the state directory cannot be used", "pipes cannot be made", "open descriptors cannot be kept from the program",
	"the program's address space cannot be kept low", "criu cannot be started", "the terminal that was saved cannot be restored",
	"the program cannot be another user's", "the program's network cannot be made" };
enum step { STEP_SUPERVISOR, STEP_DIRECTORY, STEP_INPUT, STEP_OUTPUT, STEP_ERRORS, STEP_IPC, STEP_TERMINAL, STEP_EXEC, STEP_PIDFILE, STEP_READ_PIDFILE,
	STEP_STATE, STEP_PIPES, STEP_DESCRIPTORS, STEP_LAYOUT, STEP_CRIU, STEP_KEY, STEP_USER, STEP_NETWORK };

static void send(int fd, int pid, long error, int status, enum step step)
{
	struct report report = { pid, error < 0 ? (int32_t)-error : 0, status, step };
	if (write_all(fd, (const char *)&report, sizeof report) < 0)
		leave(1); /* the command is gone: there is nobody to tell */
}

static void null_streams(void)
{
	int fd = open_file("/dev/null", O_RDWR);
	for (int stream = 0; stream < 3; stream++)
		SYS(NR_dup3, fd, stream, 0);
	SYS(NR_close, fd);
}

static void default_signals(void)
{
	uint64_t none = 0, action[4] = { 0 };
	for (int signal = 1; signal <= ALL_SIGNALS; signal++)
		SYS(NR_rt_sigaction, signal, action, 0, sizeof none);
	SYS(NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
}

/* close_range(2) with CLOSE_RANGE_CLOEXEC, which kernels before 5.11 do not have. 0 or -errno. */
static long keep_from_program(unsigned first, unsigned last)
{
	long result = SYS(NR_close_range, first, last, CLOSE_RANGE_CLOEXEC);
	if (result != -ENOSYS && result != -EINVAL)
		return result;
	for (unsigned fd = first; fd <= last && fd < MOST_DESCRIPTORS; fd++)
		SYS(NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

static void close_all(unsigned first, unsigned last)
{
	if (SYS(NR_close_range, first, last, 0) == 0)
		return;
	for (unsigned fd = first; fd <= last && fd < MOST_DESCRIPTORS; fd++)
		SYS(NR_close, fd);
}

/* --- supervisor --------------------------------------------------------------------------------------------------- */

static const char draft[] = EXIT_FILE ".new";
static const char reserved[] = "                "; /* room for what will be written */

/* Makes the file that will say how the program has ended, so that the end can be told on a disk that is full by then. */
static long reserve_record(int state)
{
	int fd = (int)SYS(NR_openat, state, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	long result = write_all(fd, reserved, sizeof reserved - 1), closed = SYS(NR_close, fd);
	return result < 0 ? result : closed;
}

static long write_record(int state, const char *text)
{
	size_t size = strlen(text);
	int fd = (int)SYS(NR_openat, state, draft, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	long result = write_all(fd, text, size);
	if (result == 0)
		result = SYS(NR_ftruncate, fd, size);
	long closed = SYS(NR_close, fd);
	return result < 0 ? result : closed < 0 ? closed : SYS(NR_renameat2, state, draft, state, EXIT_FILE, 0);
}

/* On a disk that is full after all (one that copies what is written) this waits for room: nobody else knows how the program ended. */
static void record_end(int state, const struct child_info *info)
{
	const char *what = info->code == CLD_EXITED ? "status" : "signal";
	char *text = format("%s %d\n", what, (long)info->status);
	long result;
	do {
		if (SYS(NR_faccessat, state, MOVED_FILE, 0) == 0)
			return;
		result = write_record(state, text);
		if (result == -ENOSPC || result == -EDQUOT)
			rest(FULL_DISK_PAUSE);
	} while (result == -ENOSPC || result == -EDQUOT);
}

/* The end is recorded before the process is reaped: until then its pid cannot come to life again, by a move back to this machine. */
static _Noreturn void supervise(int state, int pid, const struct terminal *terminal, bool has_network)
{
	struct child_info info;
	long result;
	if (terminal)
		log_until_end(terminal, pid);
	do {
		memset(&info, 0, sizeof info);
		result = SYS(NR_waitid, P_PID, pid, &info, WEXITED | WNOWAIT, 0);
	} while (result == -EINTR);
	if (has_network)
		remove_network();
	if (result == 0)
		record_end(state, &info);
	SYS(NR_wait4, pid, 0, WALL, 0);
	leave(0);
}

/* A process of its own session that nobody waits for: 1 in it, 0 in the caller, or -errno. */
static long detach(void)
{
	long child = spawn();
	if (child < 0)
		return child;
	if (child > 0) {
		int status = 0;
		long result = SYS(NR_wait4, child, &status, WALL, 0);
		return result < 0 ? result : -(long)(status & 0x7f ? ESRCH : status >> 8 & 0xff);
	}
	SYS(NR_setsid);
	long grandchild = spawn();
	if (grandchild != 0)
		leave(grandchild < 0 ? (int)-grandchild : 0); /* errno's values fit into a status */
	return 1;
}

/* A terminal for the program of `how`, at its descriptors, if it wants one; 0 or -errno. */
static long provide_terminal(const struct launch *how, struct terminal *terminal)
{
	long result = how->terminal ? make_terminal(terminal, how->terminal) : 0;
	if (result == 0 && how->terminal)
		result = take_terminal(terminal);
	if (result == 0 && how->terminal && how->user)
		result = SYS(NR_fchown, terminal->slave, how->user->uid, NOBODY);
	return result;
}

/* Opens the state directory for the user's group, to pass through. Until now nobody could meddle with what was put there. */
static long let_through(const struct launch *how)
{
	long result = how->user ? SYS(NR_fchownat, AT_FDCWD, how->state, NOBODY, how->user->gid, 0) : 0;
	return result == 0 && how->user ? SYS(NR_fchmodat, AT_FDCWD, how->state, PASS_THROUGH) : result;
}

static long become_user(const struct user *user)
{
	long result = SYS(NR_setgroups, user->group_count, user->groups);
	if (result == 0)
		result = SYS(NR_setgid, user->gid);
	return result == 0 ? SYS(NR_setuid, user->uid) : result;
}

/* --- program ------------------------------------------------------------------------------------------------------- */

static long redirect(const char *path, int flags, int stream, const struct user *user)
{
	int fd = open_file(path ? path : "/dev/null", path ? flags : O_RDWR);
	if (fd < 0)
		return fd;
	long result = path && user ? SYS(NR_fchown, fd, user->uid, user->gid) : 0;
	return result < 0 ? result : SYS(NR_dup3, fd, stream, 0);
}

static _Noreturn void fail(int report, long error, enum step step)
{
	send(report, 0, error, 0, step);
	leave(127);
}

static long open_streams(const struct launch *how, const struct terminal *terminal, enum step *step)
{
	long result;
	if (how->terminal) {
		*step = STEP_TERMINAL;
		return stand_at_terminal(terminal);
	}
	*step = STEP_INPUT;
	if ((result = redirect(how->input, O_RDONLY, 0, NULL)) < 0)
		return result;
	*step = STEP_OUTPUT;
	if ((result = redirect(how->output, O_WRONLY | O_CREAT | O_APPEND, 1, how->user)) < 0)
		return result;
	*step = STEP_ERRORS;
	return redirect(how->errors, O_WRONLY | O_CREAT | O_APPEND, 2, how->user);
}

static _Noreturn void become_program(const struct launch *how, int go, int report, const struct terminal *terminal)
{
	enum step step;
	char token;
	long result = 0;
	if (SYS(NR_read, go, &token, 1) != 1)
		leave(127); /* the command has died before it was attached */
	/* Children of a leader lose their terminal in a restore: where there is one, the supervisor leads the session. */
	if (!how->terminal)
		SYS(NR_setsid);
	/* System V IPC moves as a whole namespace or not at all: criu dumps what is in it if it is not its own. EINVAL: a kernel without it. */
	if ((result = SYS(NR_unshare, CLONE_NEWIPC)) < 0 && result != -EINVAL)
		fail(report, result, STEP_IPC);
	default_signals();
	if (how->directory && (result = SYS(NR_chdir, how->directory)) < 0)
		fail(report, result, STEP_DIRECTORY);
	if ((result = open_streams(how, terminal, &step)) < 0)
		fail(report, result, step);
	if ((result = keep_from_program(3, ~0u)) < 0)
		fail(report, result, STEP_DESCRIPTORS);
	if (LAYOUT_PERSONALITY >= 0 && (result = SYS(NR_personality, LAYOUT_PERSONALITY)) < 0)
		fail(report, result, STEP_LAYOUT);
	if ((result = let_through(how)) < 0 || (how->user && (result = become_user(how->user)) < 0))
		fail(report, result, STEP_USER);
	SYS(NR_umask, PROGRAM_UMASK);
	fail(report, SYS(NR_execve, how->argv[0], how->argv, how->environment), STEP_EXEC);
}

/* Where the supervisor keeps its state directory: descriptors below are closed later. Exits if that fails: before there is a program. */
static void keep_state(int state, int report)
{
	long result = SYS(NR_dup3, state, AT_SUPERVISOR, O_CLOEXEC);
	if (result >= 0)
		result = reserve_record(AT_SUPERVISOR);
	if (result < 0)
		fail(report, result, STEP_STATE);
}

static _Noreturn void supervise_program(const struct launch *how, const int go[2], int report, int state)
{
	struct terminal terminal;
	keep_state(state, report);
	long made = how->network ? make_network(how->network, true) : 0;
	if (made < 0)
		fail(report, made, STEP_NETWORK);
	long result = provide_terminal(how, &terminal), pid = result ? result : spawn();
	if (pid == 0) {
		SYS(NR_close, go[1]);
		become_program(how, go[0], report, &terminal);
	}
	if (how->terminal && pid > 0) {
		resize_terminal(&terminal, how->window);
		put_in_front(&terminal, (int)pid);
	}
	send(report, (int)pid, pid < 0 ? pid : 0, 0, result ? STEP_TERMINAL : STEP_SUPERVISOR);
	if (pid < 0)
		leave(1);
	null_streams();
	close_all(3, AT_SUPERVISOR - 1);
	close_all(how->terminal ? FIRST_FOR_CRIU : AT_SUPERVISOR + 1, ~0u);
	SYS(NR_chdir, "/");
	supervise(AT_SUPERVISOR, (int)pid, how->terminal ? &terminal : NULL, how->network);
}

static bool receive(int fd, struct report *report)
{
	long count;
	do
		count = SYS(NR_read, fd, report, sizeof *report);
	while (count == -EINTR);
	return count == sizeof *report;
}

static struct outcome failed(long error, enum step step)
{
	return (struct outcome){ .error = (int32_t)-error, .step = steps[step] };
}

static long forget(int directory, const char *name)
{
	long result = SYS(NR_unlinkat, directory, name, 0);
	return result == -ENOENT ? 0 : result;
}

/* Opens the state directory and removes what an earlier life of the program has left there; or -errno. */
static int open_state(const char *path)
{
	int state = open_file(path, O_DIRECTORY_PATH);
	long result = state < 0 ? state : forget(state, EXIT_FILE);
	if (result == 0)
		result = forget(state, MOVED_FILE);
	return result < 0 ? (int)result : state;
}

/* The supervisor's first words; 0 or -errno, which is also what silence means: it has died. */
static long hear(int fd, struct report *report)
{
	if (!receive(fd, report))
		*report = (struct report){ .error = ESRCH, .step = STEP_SUPERVISOR };
	return -report->error;
}

struct outcome launch(const struct launch *how, bool (*seize)(void *context, int pid), void *context)
{
	int go[2], pipe[2], state = open_state(how->state);
	struct report report, failure;
	long result = state;
	if (result < 0)
		return failed(result, STEP_STATE);
	if ((result = SYS(NR_pipe2, go, O_CLOEXEC)) < 0 || (result = SYS(NR_pipe2, pipe, O_CLOEXEC)) < 0)
		return failed(result, STEP_PIPES);
	if ((result = detach()) == 1)
		supervise_program(how, go, pipe[1], state);
	if (result < 0)
		return failed(result, STEP_SUPERVISOR);
	SYS(NR_close, pipe[1]);
	SYS(NR_close, go[0]);
	if ((result = hear(pipe[0], &report)) < 0)
		return failed(result, report.step);
	char *number = format("%d\n", (long)report.pid);
	result = how->pidfile ? replace_file(how->pidfile, number) : 0;
	if (result < 0)
		return failed(result, STEP_PIDFILE);
	if (seize && !seize(context, report.pid))
		return (struct outcome){ 0 };
	if ((result = write_all(go[1], "", 1)) < 0)
		return failed(result, STEP_EXEC);
	if (!seize && receive(pipe[0], &failure))
		return failed(-failure.error, failure.step);
	return (struct outcome){ .pid = report.pid };
}

/* --- restore ------------------------------------------------------------------------------------------------------- */

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
	long result = 0;
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

/* As wait4(2), but what has not ended after so many milliseconds (0: any) is killed, and so is what it has started. */
static long wait_until(long child, int *status, uint64_t milliseconds)
{
	struct {
		int fd;
		int16_t events, found;
	} end = { (int)SYS(NR_pidfd_open, child, 0), 1 /* POLLIN */, 0 };
	long until = now() + (long)milliseconds, result;
	bool late = false;
	while ((result = SYS(NR_wait4, child, status, WALL | (milliseconds ? WNOHANG : 0), 0)) == 0 || result == -EINTR) {
		if (milliseconds && (late || now() >= until)) {
			kill_descendants();
			late = true;
		}
		struct timespec pause = { 0, 2000000 }; /* the kernel writes what is left of it */
		if (milliseconds) /* at once: of what it has made nothing is to run */
			SYS(NR_ppoll, &end, 1, &pause, 0, 0);
	}
	SYS(NR_close, end.fd);
	return result;
}

/* Runs criu to its end; its wait status. Failures are reported, and are the end. */
static int run_criu(const struct launch *how, int report)
{
	int status = 0;
	/* criu ends; the restored process then becomes our child. */
	long result = SYS(NR_prctl, PR_SET_CHILD_SUBREAPER, 1), criu = result < 0 ? result : spawn();
	if (criu == 0)
		become_criu(how, report);
	if (criu < 0)
		fail(report, criu, STEP_CRIU);
	null_streams();
	result = wait_until(criu, &status, how->deadline);
	if (result < 0)
		fail(report, result, STEP_CRIU);
	return status;
}

static _Noreturn void supervise_restore(const struct launch *how, int report, int state)
{
	uint64_t pid = 0;
	struct terminal terminal;
	struct launch with_terminal = *how;
	long result = reserve_record(state);
	if (result < 0)
		fail(report, result, STEP_STATE);
	if ((result = provide_terminal(how, &terminal)) < 0)
		fail(report, result, STEP_TERMINAL);
	if (how->terminal && !(with_terminal.argv = inherit_terminal(how->argv, how->key)))
		fail(report, -EINVAL, STEP_KEY);
	if ((result = let_through(how)) < 0)
		fail(report, result, STEP_USER);
	if (how->network && (result = make_network(how->network, false)) < 0)
		fail(report, result, STEP_NETWORK);
	int status = run_criu(&with_terminal, report);
	if (status) {
		end_descendants();
		send(report, 0, 0, status, STEP_CRIU);
		leave(1);
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
