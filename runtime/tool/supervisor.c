/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See supervisor.h. */
#include "supervisor.h"
#include "proc.h"

enum { CLOSE_RANGE_CLOEXEC = 4, O_DIRECTORY_PATH = 010000000 /* O_PATH */, SIG_SETMASK = 2, ALL_SIGNALS = 64 };
enum { F_SETFD = 2, FD_CLOEXEC = 1, MOST_DESCRIPTORS = 1 << 16, FULL_DISK_PAUSE = 200 /* ms */, PASS_THROUGH = 0710, NOBODY = -1 };

static const char *const steps[] = { "the supervisor cannot be started", "the working directory cannot be entered",
	"standard input cannot be opened", "standard output cannot be opened", "standard error cannot be opened",
	"a System V IPC namespace of its own cannot be made for the program", "a /dev/shm of its own cannot be made for the program",
	"a terminal cannot be made for the program",
	"the program cannot be executed", "the pid file cannot be written", "the pid file cannot be read",
	"the state directory cannot be used", "pipes cannot be made", "open descriptors cannot be kept from the program",
	"the program's address space cannot be kept low", "criu cannot be started", "the terminal that was saved cannot be restored",
	"the program cannot be another user's", "the program's network cannot be made", "who brings the program its memory is gone, or does not answer" };

void send(int fd, int pid, long error, int status, enum step step)
{
	struct report report = { pid, error < 0 ? (int32_t)-error : 0, status, step };
	if (write_all(fd, (const char *)&report, sizeof report) < 0)
		leave(1); /* the command is gone: there is nobody to tell */
}

void null_streams(void)
{
	int fd = open_file("/dev/null", O_RDWR);
	for (int stream = 0; stream < 3; stream++)
		SYS(NR_dup3, fd, stream, 0);
	SYS(NR_close, fd);
}

void default_signals(void)
{
	uint64_t none = 0, action[4] = { 0 };
	for (int signal = 1; signal <= ALL_SIGNALS; signal++)
		SYS(NR_rt_sigaction, signal, action, 0, sizeof none);
	SYS(NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
}

long keep_from_program(unsigned first, unsigned last)
{
	long result = SYS(NR_close_range, first, last, CLOSE_RANGE_CLOEXEC);
	if (result != -ENOSYS && result != -EINVAL)
		return result;
	for (unsigned fd = first; fd <= last && fd < MOST_DESCRIPTORS; fd++)
		SYS(NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

void close_all(unsigned first, unsigned last)
{
	if (SYS(NR_close_range, first, last, 0) == 0)
		return;
	for (unsigned fd = first; fd <= last && fd < MOST_DESCRIPTORS; fd++)
		SYS(NR_close, fd);
}

_Noreturn void fail(int report, long error, enum step step)
{
	send(report, 0, error, 0, step);
	leave(127);
}

bool receive(int fd, struct report *report)
{
	long count;
	do
		count = SYS(NR_read, fd, report, sizeof *report);
	while (count == -EINTR);
	return count == sizeof *report;
}

struct outcome failed(long error, enum step step)
{
	return (struct outcome){ .error = (int32_t)-error, .step = steps[step] };
}

long forget(int directory, const char *name)
{
	long result = SYS(NR_unlinkat, directory, name, 0);
	return result == -ENOENT ? 0 : result;
}

int open_state(const char *path)
{
	int state = open_file(path, O_DIRECTORY_PATH);
	long result = state < 0 ? state : forget(state, EXIT_FILE);
	if (result == 0)
		result = forget(state, MOVED_FILE);
	return result < 0 ? (int)result : state;
}

long hear(int fd, struct report *report)
{
	if (!receive(fd, report))
		*report = (struct report){ .error = ESRCH, .step = STEP_SUPERVISOR };
	return -report->error;
}

/* --- the program's end ------------------------------------------------------------------------------------------- */

static const char draft[] = EXIT_FILE ".new";
static const char reserved[] = "                "; /* room for what will be written */

long reserve_record(int state)
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

_Noreturn void supervise(int state, int pid, const struct terminal *terminal, bool has_network)
{
	struct child_info info;
	if (terminal)
		log_until_end(terminal, pid);
	long result = await_child(pid, &info);
	if (has_network)
		remove_network();
	if (result == 0)
		record_end(state, &info);
	SYS(NR_wait4, pid, 0, WALL, 0);
	leave(0);
}

long detach(void)
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

long provide_terminal(const struct launch *how, struct terminal *terminal)
{
	long result = how->terminal ? make_terminal(terminal, how->terminal) : 0;
	if (result == 0 && how->terminal)
		result = take_terminal(terminal);
	if (result == 0 && how->terminal && how->user)
		result = SYS(NR_fchown, terminal->slave, how->user->uid, NOBODY);
	return result;
}

long let_through(const struct launch *how)
{
	long result = how->user ? SYS(NR_fchownat, AT_FDCWD, how->state, NOBODY, how->user->gid, 0) : 0;
	return result == 0 && how->user ? SYS(NR_fchmodat, AT_FDCWD, how->state, PASS_THROUGH) : result;
}
