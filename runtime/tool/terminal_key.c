/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A terminal in a dump and a restore (terminal.h): what criu calls it, and what was typed at it and not read yet. */
#include "terminal.h"
#include "poll.h"
#include "proc.h"

/* asm-generic/ioctls.h, linux/stat.h */
enum { TCGETS = 0x5401, TCSETS = 0x5402, TIOCGPGRP = 0x540f, STATX_BASIC = 0x7ff, AT_EMPTY_PATH = 0x1000 };
enum { TAKE_IN_TIME = 1000 /* ms */, MOST_TYPED = 4096 /* N_TTY_BUF_SIZE: the kernel holds no more */ };

/* struct ktermios without the speeds (asm-generic/termbits.h). */
struct settings {
	uint32_t input, output, control, local;
	uint8_t line, characters[19];
};
enum { LOCAL_SIGNALS = 1, LOCAL_CANONICAL = 2, LOCAL_ECHO = 010 | 020 | 040 | 0100 /* ECHO, -E, -K, -NL */, LOCAL_EXTENDED = 0100000 };
enum { VERASE = 2, VKILL = 3, VTIME = 5, VMIN = 6, VSTOP = 9, INPUT_STOPS = 02000 /* IXON */, STOP = 0x13 };

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
	for (long end = now() + TAKE_IN_TIME; now() < end && poll_for(&output, 1, 0) == 1;)
		rest(1);
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
	while (size < room && poll_for(&poll, 1, 0) == 1) {
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
