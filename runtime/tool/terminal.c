/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See terminal.h. */
#include "terminal.h"
#include "proc.h"

/* asm-generic/ioctls.h, linux/poll.h, linux/inotify.h, linux/stat.h, asm-generic/fcntl.h */
enum {
	TCGETS = 0x5401, TCSETS = 0x5402, TIOCSCTTY = 0x540e, TIOCSWINSZ = 0x5414, TIOCGPTN = (int)0x80045430, TIOCSPTLCK = 0x40045431,
	TIOCGPTPEER = 0x5441, TIOCGPGRP = 0x540f, TIOCSPGRP = 0x5410,
};
enum { POLLIN = 1, POLLOUT = 4, IN_MODIFY = 2, STATX_BASIC = 0x7ff, AT_EMPTY_PATH = 0x1000, O_NOCTTY = 0400 };
enum { LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8, SEEK_SET = 0 };
enum { AT_MASTER = 101, AT_SLAVE = 102, AT_LOG = 103 }; /* above the supervisor's state directory; below FIRST_FOR_CRIU */
enum { TAKE_IN_TIME = 1000, LOG_TIME = 1000, FULL_DISK_PAUSE = 100, LOCK_PAUSE = 1 }; /* ms */
enum { MOST_TYPED = 4096 /* N_TTY_BUF_SIZE: the kernel holds no more */ };

/* struct ktermios without the speeds (asm-generic/termbits.h). */
struct settings {
	uint32_t input, output, control, local;
	uint8_t line, characters[19];
};
enum { LOCAL_SIGNALS = 1, LOCAL_CANONICAL = 2, LOCAL_ECHO = 010 | 020 | 040 | 0100 /* ECHO, -E, -K, -NL */, LOCAL_EXTENDED = 0100000 };
enum { VERASE = 2, VKILL = 3, VTIME = 5, VMIN = 6, VSTOP = 9, INPUT_STOPS = 02000 /* IXON */, STOP = 0x13 };

struct poll {
	int fd;
	int16_t events, found;
};

static char piece[1 << 16];

static long wait_for(struct poll *polls, size_t count, long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	return SYS(NR_ppoll, polls, count, milliseconds < 0 ? NULL : &time, 0, 0);
}

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

static void show_group(const struct terminal *terminal, int group)
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
			wait_for(NULL, 0, FULL_DISK_PAUSE);
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
		wait_for(NULL, 0, LOCK_PAUSE);
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
		wait_for(polls, 2, -1);
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
		wait_for(polls, 3, -1);
		if (!polls[2].found)
			continue;
		if (!size && (size = SYS(NR_read, 0, input, sizeof input)) <= 0)
			return 0;
		count = SYS(NR_write, terminal->master, input, size);
		size -= count > 0 ? count : 0;
		memmove(input, input + (count > 0 ? count : 0), (size_t)size);
	}
}

/* --- dump, restore ------------------------------------------------------------------------------------------------ */

/* A device number in the encoding of stat(2) (new_encode_dev in linux/kdev_t.h), in hexadecimal. */
static const char *number_of(uint32_t major, uint32_t minor)
{
	return format("%x", (uint64_t)(minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12) + 2;
}

/* As criu names a terminal, in tty_d_name and get_tty_driver (criu/tty.c): tty[rdev:dev]. */
static char *name_for_criu(int fd, const char *path)
{
	struct file_status about = { 0 };
	SYS(NR_statx, fd, path, *path ? 0 : AT_EMPTY_PATH, STATX_BASIC, &about);
	return format("tty[%s:%s]", number_of(about.special_major, about.special_minor), number_of(about.device_major, about.device_minor));
}

/* `argv`, an option with two values, one after the other, and that the session's leader is not in the tree. */
static char **with_options(char **argv, const char *option, char *first, char *second)
{
	size_t count = 0;
	char *const more[] = { format("%s", option), first, format("%s", option), second, format("--shell-job"), NULL };
	while (argv[count])
		count++;
	char **longer = allocate(count * sizeof *longer + sizeof more);
	memcpy(longer, argv, count * sizeof *longer);
	memcpy(longer + count, more, sizeof more);
	return longer;
}

/* Settings under which a terminal keeps what is typed as it is: no echo, no editing, no signals; only STOP has a meaning. */
static struct settings deaf(struct settings settings)
{
	settings.input = INPUT_STOPS;
	settings.local &= ~(uint32_t)(LOCAL_SIGNALS | LOCAL_ECHO | LOCAL_EXTENDED);
	settings.characters[VERASE] = settings.characters[VKILL] = 0;
	settings.characters[VSTOP] = STOP;
	return settings;
}

/* Types at a terminal whose program is stopped, as if it had been typed before: it was shown then. */
static void type_unseen(const struct terminal *terminal, const char *typed, size_t size)
{
	struct settings settings = { 0 }, quiet;
	if (!size || SYS(NR_ioctl, terminal->slave, TCGETS, &settings) < 0)
		return;
	quiet = deaf(settings);
	SYS(NR_ioctl, terminal->slave, TCSETS, &quiet);
	SYS(NR_write, terminal->master, typed, size);
	SYS(NR_write, terminal->master, (char[]){ STOP }, 1);
	/* The kernel takes it in later, by itself. When it has, output is stopped. */
	struct poll output = { terminal->slave, POLLOUT, 0 };
	for (long end = now() + TAKE_IN_TIME; now() < end && wait_for(&output, 1, 0) == 1;)
		wait_for(NULL, 0, 1);
	quiet.input = 0; /* which lets output go on (n_tty_set_termios) */
	SYS(NR_ioctl, terminal->slave, TCSETS, &quiet);
	SYS(NR_ioctl, terminal->slave, TCSETS, &settings);
}

/* What was typed and not read yet, a line that is not complete included: up to `room` bytes. It is there again afterwards. */
static size_t typed_at(const struct terminal *terminal, char *typed, size_t room)
{
	struct settings settings = { 0 }, raw;
	struct poll poll = { terminal->slave, POLLIN, 0 };
	size_t size = 0;
	if (SYS(NR_ioctl, terminal->slave, TCGETS, &settings) < 0)
		return 0;
	raw = deaf(settings);
	raw.local &= ~(uint32_t)LOCAL_CANONICAL;
	raw.characters[VMIN] = 1;
	raw.characters[VTIME] = 0;
	SYS(NR_ioctl, terminal->slave, TCSETS, &raw);
	while (size < room && wait_for(&poll, 1, 0) == 1) {
		long count = SYS(NR_read, terminal->slave, typed + size, room - size);
		if (count <= 0)
			break;
		size += (size_t)count;
	}
	SYS(NR_ioctl, terminal->slave, TCSETS, &settings);
	type_unseen(terminal, typed, size);
	return size;
}

/* The file `key`: the terminal's name, that of /dev/tty, the group in front, the number of bytes typed, each ended by NUL; these bytes. */
char **declare_terminal(const struct terminal *terminal, char **argv, const char *key)
{
	static char typed[MOST_TYPED];
	struct text text = { 0 };
	char *names[] = { name_for_criu(terminal->slave, ""), name_for_criu(AT_FDCWD, "/dev/tty") };
	size_t size = typed_at(terminal, typed, sizeof typed);
	int group = 0;
	SYS(NR_ioctl, terminal->master, TIOCGPGRP, &group);
	char *const words[] = { names[0], names[1], format("%d", (long)group), format("%d", (long)size) };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		append(&text, words[i], strlen(words[i]) + 1);
	append(&text, typed, size);
	return write_file(key, &text) < 0 ? NULL : with_options(argv, "--external", names[0], names[1]);
}

/* What is in such a file, which comes from another machine. */
struct key {
	const char *names[2], *typed;
	uint64_t group, size;
};

static bool is_name(const char *text)
{
	return text && !memcmp(text, "tty[", 4) && strlen(text) < 64;
}

static bool read_key(const char *path, struct key *key)
{
	struct text text;
	const char *number;
	if (!read_text(path, &text))
		return false;
	for (int i = 0; i < 2; i++)
		if (!is_name(key->names[i] = take_field(&text)))
			return false;
	if (!(number = take_field(&text)) || !parse_number(number, &key->group) || key->group > INT32_MAX)
		return false;
	if (!(number = take_field(&text)) || !parse_number(number, &key->size) || key->size != text.size || text.size > MOST_TYPED)
		return false;
	key->typed = text.data;
	return true;
}

char **inherit_terminal(char **argv, const char *path)
{
	struct key key;
	if (!read_key(path, &key))
		return NULL;
	char *options[] = { format("fd[%d]:%s", (long)FIRST_FOR_CRIU, key.names[0]), format("fd[%d]:%s", (long)LAST_FOR_CRIU, key.names[1]) };
	return with_options(argv, "--inherit-fd", options[0], options[1]);
}

long restore_terminal(const struct terminal *terminal, const char *path)
{
	struct key key;
	if (!read_key(path, &key))
		return -EINVAL;
	type_unseen(terminal, key.typed, key.size);
	show_group(terminal, (int)key.group); /* the last: a session's leader in the background may change nothing */
	return 0;
}
