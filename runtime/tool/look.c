/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a preflight wants to know of a node and of a tree there, in one answer, and nothing is stopped: `room` and `look`. They print lines
 * for the host (cluster/look.py and process/inspect.py judge them), not an object. A shell that asks the same starts a hundred programs.
 */
#include "commands.h"
#include "lines.h"
#include "network.h"
#include "proc.h"
#include "shared.h"
#include "sockets.h"

enum { FOR_OTHERS_TO_PASS = 0711, PAGE_SIZE = 6, RANDOM = 25 /* AT_PAGESZ, AT_RANDOM (linux/auxvec.h) */, LONGEST_LINK = 4096, FIRST_PROCESSOR = 1 << 14, KILO = 1024, ONESHOT = 1u << 31 /* IN_ONESHOT (linux/inotify.h) */ };

/* struct statfs (asm-generic/statfs.h), with words of 64 bits. */
struct file_system {
	uint64_t type, block, blocks, free, available, files, free_files, id, longest, fragment, more[5];
};
_Static_assert(sizeof(struct file_system) == 120, "struct statfs");

/* --- the node --- */

/* What a line says that begins with a word, behind its colon; NULL if there is none. */
static const char *value_in(const char *text, const char *word)
{
	size_t size = strlen(word);
	for (; text && *text; text++) {
		if (!memcmp(text, word, size) && (text[size] == ':' || text[size] == ' ' || text[size] == '\t')) {
			for (text += size; *text == ':' || *text == ' ' || *text == '\t';)
				text++;
			return text;
		}
		while (*text && *text != '\n')
			text++;
		if (!*text)
			break;
	}
	return NULL;
}

/* NAME=value, to the end of the value's first word, or of its line. */
static void print_fact(struct text *out, const char *name, const char *value, bool whole_line)
{
	size_t size = 0;
	while (value && value[size] && value[size] != '\n' && (whole_line || value[size] != ' '))
		size++;
	print(out, "%s=", name);
	append(out, value ? value : "", size);
	append(out, "\n", 1);
}

/* All processors are taken to be alike; a machine may have hundreds. */
static void print_processor(struct text *out)
{
	static char text[FIRST_PROCESSOR + 1];
	long size = 0, got;
	int fd = open_file("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && size < FIRST_PROCESSOR && (got = SYS(NR_read, fd, text + size, FIRST_PROCESSOR - size)) > 0)
		size += got;
	SYS(NR_close, fd);
	const char *flags = value_in(text, "flags");
	print_fact(out, "cpu", flags ? flags : value_in(text, "Features"), true);
}

/* What the kernel told at our start; 0: nothing. */
static uint64_t auxiliary(uint64_t type)
{
	struct text words = { 0 };
	if (read_text("/proc/self/auxv", &words))
		for (const uint64_t *word = (const uint64_t *)words.data, *end = word + words.size / sizeof *word; word + 1 < end; word += 2)
			if (word[0] == type)
				return word[1];
	return 0;
}

/* `directory`: where what is ours is kept. */
static void print_room(struct text *out, const char *directory)
{
	struct file_system found;
	SYS(NR_mkdirat, AT_FDCWD, directory, FOR_OTHERS_TO_PASS);
	SYS(NR_fchmodat, AT_FDCWD, directory, FOR_OTHERS_TO_PASS);
	if (SYS(NR_statfs, directory, &found) == 0)
		print(out, "free=%d\n", (long)(found.available * found.fragment / KILO));
	print_fact(out, "memory", value_in(read_file("/proc/meminfo"), "MemAvailable"), false);
	print(out, "page=%d\n", (long)(auxiliary(PAGE_SIZE) / KILO));
	uint64_t stack = auxiliary(RANDOM); /* at the end of what processes have */
	if (stack)
		print(out, "space=%d\n", (long)(64 - __builtin_clzll(stack)));
	print_fact(out, "ids", read_file("/proc/sys/kernel/pid_max"), false);
	print_processor(out);
	print_fact(out, "capabilities", value_in(read_file("/proc/self/status"), "CapPrm"), false);
}

/* --- processes --- */

/* Where a link leads: on one line, whatever is in its name. False if it cannot be read. */
static bool print_link(struct text *out, const char *path)
{
	static char link[LONGEST_LINK];
	long size = SYS(NR_readlinkat, AT_FDCWD, path, link, sizeof link);
	for (long i = 0; i < size; i++)
		if (link[i] == '\n')
			append(out, "\\012", 4); /* as in maps */
		else
			append(out, link + i, 1);
	return size >= 0;
}

static void print_file(struct text *out, const char *path)
{
	struct text content = { 0 };
	if (read_text(path, &content))
		append(out, content.data, content.size);
}

struct walk {
	struct text *out;
	int pid;
	bool has_sockets;
};

/* As ls(1) shows it. */
static char letter_of(uint16_t mode)
{
	static const char letters[16] = { [1] = 'p', [2] = 'c', [4] = 'd', [6] = 'b', [8] = '-', [10] = 'l', [12] = 's' };
	char letter = letters[mode >> 12];
	return letter ? letter : '?';
}

static void print_descriptor(void *context, const char *name)
{
	enum { BASIC = 0x7ff /* STATX_BASIC_STATS */, NAMES = 4 /* stx_nlink is word 4 of struct statx */ };
	struct walk *walk = context;
	struct file_status status = { 0 };
	const char *path = format("/proc/%d/fd/%s", (long)walk->pid, name);
	bool known = SYS(NR_statx, AT_FDCWD, path, 0, BASIC, &status) == 0;
	char letter[2] = { known ? letter_of(status.mode) : '?' };
	bool device = letter[0] == 'b' || letter[0] == 'c';
	walk->has_sockets |= letter[0] == 's' || letter[0] == '?';
	print(walk->out, "%s %s %d %d ", name, letter, known ? (long)status.before[NAMES] : 1L, device ? 0L : (long)status.size);
	print_link(walk->out, path);
	append(walk->out, "\n", 1);
}

/* Whether some watch of an inotify descriptor ends with its first event: its line has `mask:` in hexadecimal (Documentation/filesystems/proc.rst). */
static bool watches_once(const char *text)
{
	static const char word[] = " mask:";
	for (; text && *text; text++)
		if (!memcmp(text, word, sizeof word - 1)) {
			uint64_t mask;
			text += sizeof word - 1;
			if (take_hexadecimal(&text, &mask) && mask & ONESHOT)
				return true;
		}
	return false;
}

static void print_details(void *context, const char *name)
{
	static const char *const words[] = { "pos", "tty-index", "eventfd-semaphore" };
	const struct walk *walk = context;
	const char *text = read_file(format("/proc/%d/fdinfo/%s", (long)walk->pid, name)), *value;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if ((value = value_in(text, words[i])))
			print_fact(walk->out, format("%s %s", name, words[i]), value, false);
	if (value_in(text, "inotify wd") && watches_once(text))
		print(walk->out, "%s inotify-oneshot=1\n", name);
}

static void print_status(void *context, const char *name)
{
	const struct walk *walk = context;
	print_file(walk->out, format("/proc/%d/task/%s/status", (long)walk->pid, name));
}

static void print_process(struct text *out, int pid)
{
	struct walk walk = { .out = out, .pid = pid };
	print(out, "== process %d\n", (long)pid);
	print_link(out, format("/proc/%d/exe", (long)pid));
	print(out, "\n== directory\n");
	print_link(out, format("/proc/%d/cwd", (long)pid));
	print(out, "\n== status\n");
	each_entry(format("/proc/%d/task", (long)pid), print_status, &walk);
	print(out, "== maps\n");
	print_file(out, format("/proc/%d/maps", (long)pid));
	print(out, "== descriptors\n");
	each_entry(format("/proc/%d/fd", (long)pid), print_descriptor, &walk);
	print(out, "== details\n");
	each_entry(format("/proc/%d/fdinfo", (long)pid), print_details, &walk);
	if (!walk.has_sockets)
		return;
	print(out, "== tcp\n"); /* the kernel looks through all that a network may have: 5 ms */
	print_file(out, format("/proc/%d/net/tcp", (long)pid));
	print_file(out, format("/proc/%d/net/tcp6", (long)pid));
}

/* --- the others --- */

static void print_end(void *context, const char *name)
{
	const struct walk *walk = context;
	size_t before = walk->out->size;
	append(walk->out, " ", 1);
	bool good = print_link(walk->out, format("/proc/%d/fd/%s", (long)walk->pid, name));
	append(walk->out, "", 1);
	const char *link = walk->out->data + before + 1;
	bool joins = good && (!memcmp(link, "pipe:", 5) || !memcmp(link, "socket:", 7));
	walk->out->size = joins ? walk->out->size - 1 : before;
	if (joins)
		append(walk->out, "\n", 1);
}

/* A process, its parent, what it executes; and below that the pipes and sockets that it holds. */
static void print_other(void *context, const char *name)
{
	uint64_t pid;
	struct walk walk = { .out = context };
	if (!parse_number(name, &pid))
		return;
	walk.pid = (int)pid;
	long parent = status_number(walk.pid, "PPid");
	if (parent < 0)
		return; /* it has ended */
	print(walk.out, "%s %d ", name, parent);
	print_link(walk.out, format("/proc/%s/exe", name));
	append(walk.out, "\n", 1);
	each_entry(format("/proc/%s/fd", name), print_end, &walk);
}

static void print_machine(struct text *out, int pid, const char *program)
{
	const char *shared = shared_of(pid, program);
	struct walk supervisor = { .out = out, .pid = (int)status_number(pid, "PPid") };
	print(out, "== terminal\n");
	if (supervisor.pid > 0)
		each_entry(format("/proc/%d/fdinfo", (long)supervisor.pid), print_details, &supervisor);
	print(out, "== shared\n%s%s", shared ? shared : "", shared ? "\n" : "");
	print(out, "== others\n");
	each_entry("/proc", print_other, out);
	print(out, "== peers\n");
	(void)list_unix_peers(out, pid); /* where that cannot be asked a restore finds out */
}

static bool executes(int pid, const char *program)
{
	struct text link = { 0 };
	print_link(&link, format("/proc/%d/exe", (long)pid));
	append(&link, "", 1);
	return !strcmp(link.data, program) || !strcmp(link.data, format("%s (deleted)", program));
}

int command_room(const struct options *options)
{
	struct text out = { 0 };
	print_room(&out, options->launch.directory);
	return write_all(1, out.data, out.size) < 0;
}

int command_look(const struct options *options)
{
	struct text out = { 0 };
	char state[2] = { executes(options->pid, options->launch.argv[0]) ? state_of(options->pid, options->pid) : 0 };
	struct numbers tree = tree_of(options->pid);
	print_room(&out, options->launch.directory);
	print(&out, "state=%s\ntree=", state);
	print_answer(&out, options->pid, &tree);
	print(&out, "\n");
	for (size_t i = 0; i < tree.count; i++) {
		print_process(&out, tree.items[i]);
		if (!i)
			print_machine(&out, tree.items[i], options->launch.argv[0]);
	}
	return write_all(1, out.data, out.size) < 0;
}
