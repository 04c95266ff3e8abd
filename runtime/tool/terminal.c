/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See terminal.h. */
#include "terminal.h"
#include "poll.h"
#include "proc.h"

/* asm-generic/ioctls.h, linux/inotify.h, asm-generic/fcntl.h */
enum {
	TIOCSCTTY = 0x540e, TIOCSWINSZ = 0x5414, TIOCGPTN = (int)0x80045430, TIOCSPTLCK = 0x40045431,
	TIOCGPTPEER = 0x5441, TIOCGPGRP = 0x540f, TIOCSPGRP = 0x5410,
};
enum { IN_MODIFY = 2, O_NOCTTY = 0400 };
enum { LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8, SEEK_SET = 0 };
enum { AT_MASTER = 101, AT_SLAVE = 102, AT_LOG = 103 }; /* above the supervisor's state directory; below FIRST_FOR_CRIU */
enum { LOG_TIME = 1000, FULL_DISK_PAUSE = 100, LOCK_PAUSE = 1 }; /* ms */
static char piece[1 << 16];

/* --- making, borrowing -------------------------------------------------------------------------------------------- */

static long open_log(struct terminal *terminal, const char *log)
{
	terminal->log = open_file(log, O_WRONLY | O_CREAT | O_APPEND);
	return terminal->log < 0 ? terminal->log : 0;
}

static long open_slave(struct terminal *terminal)
{
	terminal->slave = (int)SYS(NR_ioctl, terminal->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return terminal->slave < 0 ? terminal->slave : 0;
}

long make_terminal(struct terminal *terminal, const char *log)
{
	int unlocked = 0;
	long self = SYS(NR_pidfd_open, SYS(NR_getpid), 0);
	if (self < 0)
		return self; /* the supervisor could not be told of the end */
	SYS(NR_close, self);
	terminal->master = open_file("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (terminal->master < 0)
		return terminal->master;
	SYS(NR_ioctl, terminal->master, TIOCSPTLCK, &unlocked);
	long result = open_slave(terminal);
	return result < 0 ? result : open_log(terminal, log);
}

long borrow_terminal(struct terminal *terminal, int pid, const char *log)
{
	int number;
	long holder = SYS(NR_pidfd_open, status_number(pid, "PPid"), 0);
	if (holder < 0)
		return holder;
	terminal->master = (int)SYS(NR_pidfd_getfd, holder, AT_MASTER, 0);
	SYS(NR_close, holder);
	if (terminal->master < 0)
		return terminal->master;
	long result = SYS(NR_ioctl, terminal->master, TIOCGPTN, &number);
	if (result == 0)
		result = open_slave(terminal);
	return result < 0 ? result : open_log(terminal, log);
}

static long move(int *fd, int to)
{
	long result = SYS(NR_dup3, *fd, to, O_CLOEXEC);
	SYS(NR_close, *fd);
	*fd = to;
	return result;
}

long take_terminal(struct terminal *terminal)
{
	long result = move(&terminal->master, AT_MASTER);
	if (result >= 0)
		result = move(&terminal->slave, AT_SLAVE);
	if (result >= 0)
		result = move(&terminal->log, AT_LOG);
	for (int fd = FIRST_FOR_CRIU; fd <= LAST_FOR_CRIU && result >= 0; fd++)
		result = SYS(NR_dup3, AT_SLAVE, fd, 0);
	if (result < 0)
		return result;
	SYS(NR_setsid);
	return SYS(NR_ioctl, terminal->slave, TIOCSCTTY, 0);
}

void show_group(const struct terminal *terminal, int group)
{
	SYS(NR_ioctl, terminal->slave, TIOCSPGRP, &group);
}

void put_in_front(const struct terminal *terminal, int pid)
{
	SYS(NR_setpgid, pid, pid);
	show_group(terminal, pid);
}

long stand_at_terminal(const struct terminal *terminal)
{
	long result = 0;
	for (int stream = 0; stream < 3 && result >= 0; stream++)
		result = SYS(NR_dup3, terminal->slave, stream, 0);
	return result;
}

void resize_terminal(const struct terminal *terminal, struct window window)
{
	SYS(NR_ioctl, terminal->master, TIOCSWINSZ, &window);
}

/* --- output ------------------------------------------------------------------------------------------------------- */

/*
 * Writes all that there is of a piece to the log. While the disk is full: tries again for so many milliseconds, or for ever if negative;
 * nothing more is read then, so that in the end the program waits, as at a pipe.
 */
static long log_whole(int log, const char *data, size_t size, long patience)
{
	for (long end = now() + patience; size;) {
		long count = SYS(NR_write, log, data, size);
		if (count > 0) {
			data += count;
			size -= (size_t)count;
		} else if ((count == -ENOSPC || count == -EDQUOT) && (patience < 0 || now() < end)) {
			rest(FULL_DISK_PAUSE);
		} else if (count != -EINTR) {
			return count ? count : -EIO;
		}
	}
	return 0;
}

/*
 * 1, 0 if there is nothing, or -errno: the kernel looks behind all its queues before it says so (n_tty_read). Under a lock, so that nobody
 * else finds the terminal empty while a piece is on its way to the log.
 */
static long log_piece(const struct terminal *terminal, long patience)
{
	long result = 0;
	for (long end = now() + patience; SYS(NR_flock, terminal->log, patience < 0 ? LOCK_EX : LOCK_EX | LOCK_NB) == -EAGAIN;) {
		if (now() >= end)
			return -EAGAIN;
		rest(LOCK_PAUSE);
	}
	long count = SYS(NR_read, terminal->master, piece, sizeof piece);
	if (count > 0)
		result = log_whole(terminal->log, piece, (size_t)count, patience);
	SYS(NR_flock, terminal->log, LOCK_UN);
	return result < 0 ? result : count > 0;
}

static long log_all(const struct terminal *terminal, long patience)
{
	long result;
	do
		result = log_piece(terminal, patience);
	while (result > 0);
	return result;
}

long log_output(const struct terminal *terminal)
{
	return log_all(terminal, LOG_TIME);
}

void log_until_end(const struct terminal *terminal, int pid)
{
	struct poll polls[] = { { (int)SYS(NR_pidfd_open, pid, 0), POLLIN, 0 }, { terminal->master, POLLIN, 0 } };
	while (!polls[0].found) {
		poll_for(polls, 2, -1);
		log_piece(terminal, -1);
	}
	log_all(terminal, -1);
	SYS(NR_close, polls[0].fd);
}

long converse(const struct terminal *terminal, int supervisor, const char *log, uint64_t offset)
{
	char input[4096];
	long count, size = 0;
	int file = open_file(log, O_RDONLY), watch = (int)SYS(NR_inotify_init1, O_NONBLOCK | O_CLOEXEC);
	struct poll polls[] = { { (int)SYS(NR_pidfd_open, supervisor, 0), POLLIN, 0 }, { watch, POLLIN, 0 }, { 0, POLLIN, 0 } };
	if (file < 0 || watch < 0 || polls[0].fd < 0)
		return file < 0 ? file : watch < 0 ? watch : polls[0].fd;
	SYS(NR_inotify_add_watch, watch, log, IN_MODIFY);
	SYS(NR_lseek, file, offset, SEEK_SET);
	for (;;) {
		while ((count = SYS(NR_read, watch, piece, sizeof piece)) > 0)
			;
		while ((count = SYS(NR_read, file, piece, sizeof piece)) > 0)
			if ((count = write_all(1, piece, (size_t)count)) < 0)
				return count;
		if (polls[0].found)
			return 0;
		/* What the terminal does not take yet waits here; then nothing more is read. */
		polls[2] = size ? (struct poll){ terminal->master, POLLOUT, 0 } : (struct poll){ 0, POLLIN, 0 };
		poll_for(polls, 3, -1);
		if (!polls[2].found)
			continue;
		if (!size && (size = SYS(NR_read, 0, input, sizeof input)) <= 0)
			return 0;
		count = SYS(NR_write, terminal->master, input, size);
		size -= count > 0 ? count : 0;
		memmove(input, input + (count > 0 ? count : 0), (size_t)size);
	}
}
