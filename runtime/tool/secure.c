/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See secure.h. */
#include "secure.h"
#include "poll.h"
#include "sockets.h"
#include "wire.h"

enum { SECURE_TIME = 10000 /* ms */, LOOK_SOON = 1 };
enum { LOCK_EX = 2, LOCK_NB = 4, PRIVATE = 0600 };
enum { F_SETFL = 4, F_SETOWN = 8, F_SETSIG = 10, F_DUPFD_CLOEXEC = 1030, O_ASYNC = 020000, RLIMIT_NOFILE = 7, MOST_DESCRIPTORS = 1 << 16 };
static const char secured_name[] = "secured", lock_name[] = "borrowed";

/*
 * Whoever `owner` is (as F_SETOWN has it: a process, or less than 0 a group) is killed when our descriptors are closed because nobody is left who
 * holds them. That is a pipe whose end sends SIGKILL to the owner of the end that reads (O_ASYNC, F_SETSIG). What a process that ends had open is closed
 * from the highest descriptor downwards (task_work_run, since Linux 4.3), so: first the end that writes; then SIGKILL is pending, and no thread of the
 * program comes back to user mode; then the end that reads; then the userfaultfd. `end`: the end that reads, or 0; known before it can kill, and if it
 * is known the rest is done again. False if it cannot be; of an owner that is gone it need not.
 */
static bool arm(int owner, int *end)
{
	int ends[2], high[2];
	if (!*end) {
		if (SYS(NR_pipe2, ends, O_CLOEXEC) < 0)
			return false;
		for (int i = 0; i < 2; i++) {
			high[i] = (int)SYS(NR_fcntl, ends[i], F_DUPFD_CLOEXEC, shared->high);
			SYS(NR_close, ends[i]);
		}
		if (high[0] < 0 || high[1] < 0)
			return false;
		*end = high[0];
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	long owned = SYS(NR_fcntl, *end, F_SETOWN, owner);
	return (owned >= 0 || owned == -ESRCH) && SYS(NR_fcntl, *end, F_SETSIG, SIGKILL) >= 0 && SYS(NR_fcntl, *end, F_SETFL, O_ASYNC) >= 0;
}

static void disarm(int *end)
{
	if (*end)
		SYS(NR_close, *end);
	*end = 0;
}

/* Its children, of which nobody tells us more than their memory, are in its group as a rule. */
void arm_space(struct borrower *space)
{
	long group = SYS(NR_getpgid, space->pid);
	if (!arm((int)space->pid, &space->armed) || (group > 1 && !arm((int)-group, &space->group_armed)))
		shared->unarmed = true;
}

void disarm_spaces(bool all)
{
	for (size_t i = 0; i < shared->count; i++) {
		struct borrower *space = &shared->spaces[i];
		if (all || space->gone)
			disarm(&space->armed);
		if (all)
			disarm(&space->group_armed);
	}
}

void make_room_for_arms(void)
{
	uint64_t limits[2] = { 1024, 1024 }; /* the present one, and the highest that it can be set to */
	SYS(NR_prlimit64, 0, RLIMIT_NOFILE, 0, limits);
	limits[0] = limits[1] < MOST_DESCRIPTORS ? limits[1] : MOST_DESCRIPTORS;
	SYS(NR_prlimit64, 0, RLIMIT_NOFILE, limits, 0);
	shared->high = (uint32_t)limits[0] / 2;
}

void say_secured(void)
{
	struct text none = { 0 };
	if (shared->finished && !shared->unarmed && !shared->failed)
		(void)write_file(secured_name, &none); /* on a full disk: not, and the restore fails */
}

void forget_words(void)
{
	SYS(NR_unlinkat, AT_FDCWD, secured_name, 0);
}

bool is_secured(const char *directory)
{
	struct poll end = { -1, POLLIN, 0 };
	if (SYS(NR_chdir, directory) < 0)
		return false;
	for (long until = now() + SECURE_TIME; now() < until && !file_exists(secured_name); poll_for(&end, 1, LOOK_SOON)) {
		if (end.fd >= 0 && end.found) { /* taken, after all that criu had said; or nobody is left to */
			SYS(NR_close, end.fd);
			end.fd = -1;
		}
		if (end.fd < 0 && (end.fd = connect_to(criu_name)) < 0)
			break;
	}
	SYS(NR_close, end.fd);
	return file_exists(secured_name);
}

int lock_directory(void)
{
	int fd = (int)SYS(NR_openat, AT_FDCWD, lock_name, O_RDWR | O_CREAT | O_CLOEXEC, PRIVATE);
	(void)SYS(NR_flock, fd, LOCK_EX | LOCK_NB); /* where that cannot be, nobody is believed to be gone */
	return fd;
}

bool is_abandoned(const char *directory)
{
	int fd = open_file(format("%s/%s", directory, lock_name), O_RDWR);
	bool free = fd >= 0 && SYS(NR_flock, fd, LOCK_EX | LOCK_NB) == 0;
	SYS(NR_close, fd);
	return free && !file_exists(format("%s/%s", directory, secured_name)); /* in this order: who is done says so before */
}
