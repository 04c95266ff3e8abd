/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Starting a program: see supervise.h. */
#include "shared.h"
#include "supervisor.h"

enum { CLONE_NEWIPC = 0x08000000, PROGRAM_UMASK = 022 /* what logins give; ours is private (main.c) */ };

static long become_user(const struct user *user)
{
	long result = SYS(NR_setgroups, user->group_count, user->groups);
	if (result == 0)
		result = SYS(NR_setgid, user->gid);
	return result == 0 ? SYS(NR_setuid, user->uid) : result;
}

static long redirect(const char *path, int flags, int stream, const struct user *user)
{
	int fd = open_file(path ? path : "/dev/null", path ? flags : O_RDWR);
	if (fd < 0)
		return fd;
	long result = path && user ? SYS(NR_fchown, fd, user->uid, user->gid) : 0;
	return result < 0 ? result : SYS(NR_dup3, fd, stream, 0);
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
	long mounted = make_shared(how->state, true);
	if (mounted < 0)
		fail(report, mounted, STEP_SHARED);
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
