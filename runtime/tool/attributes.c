/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See attributes.h. */
#include "attributes.h"
#include "lines.h"
#include "options.h"
#include "proc.h"
#include "remote.h"
#include "watch.h"

enum { WIPE_ON_FORK = 18, USUAL_SLACK = 50000, ONE_PROCESS = 1 /* IOPRIO_WHO_PROCESS */, CLASS_SHIFT = 13, SEIZE_TIME = 2000, STOP_TIME = 2000 };

/* --- at a dump ----------------------------------------------------------------------------------------------------- */

static bool is_line(const char *line, const char *head)
{
	return strlen(line) >= strlen(head) && !memcmp(line, head, strlen(head));
}

static bool has_flag(const char *line, const char *flag)
{
	for (; *line; line++)
		if (is_line(line, flag))
			return true;
	return false;
}

/* Of the text of smaps, which it takes to pieces: START and END of each mapping that is to be wiped. */
static void list_wiped(struct text *out, int pid, char *smaps)
{
	uint64_t bounds[2] = { 0 };
	for (const char *line; (line = next_line(&smaps));)
		if (!take_bounds(&line, bounds) && is_line(line, "VmFlags:") && has_flag(line, " wf"))
			print(out, "wipe %d %x %x\n", (long)pid, bounds[0], bounds[1]);
}

static bool read_mappings(int pid, const char *mappings, struct text *text)
{
	int told = mappings ? open_watched(mappings, pid) : -1;
	bool good = told >= 0 ? read_stream(told, text) : read_text(format("/proc/%d/smaps", (long)pid), text);
	SYS(NR_close, told);
	append(text, "", 1);
	if (good && mappings && told < 0)
		tell_watched(mappings, pid, text->data);
	return good;
}

static void list_thread(struct text *out, int tid)
{
	uint64_t slack;
	long priority = SYS(NR_ioprio_get, ONE_PROCESS, tid);
	if (read_number(format("/proc/%d/timerslack_ns", (long)tid), &slack) && slack && slack != USUAL_SLACK)
		print(out, "slack %d %x\n", (long)tid, slack);
	if (priority >> CLASS_SHIFT > 0)
		print(out, "io %d %x\n", (long)tid, (uint64_t)priority);
}

/* The kernel tells it in hexadecimal, without a sign of that. */
static uint64_t core_filter(const char *pid)
{
	uint64_t value = 0;
	char *text = read_file(format("/proc/%s/coredump_filter", pid));
	const char *line = text ? next_line(&text) : NULL;
	parse_number(format("0x%s", line ? line : ""), &value);
	return value;
}

long list_attributes(int pid, const char *path, const char *mappings)
{
	struct numbers tree = tree_of(pid);
	struct text out = { 0 };
	uint64_t ours = core_filter("self");
	for (size_t i = 0; i < tree.count; i++) {
		struct text text = { 0 };
		struct numbers threads = threads_of(tree.items[i]);
		uint64_t filter = core_filter(format("%d", (long)tree.items[i]));
		if (read_mappings(tree.items[i], mappings, &text))
			list_wiped(&out, tree.items[i], text.data);
		if (filter != ours)
			print(&out, "core %d %x\n", (long)tree.items[i], filter);
		for (size_t k = 0; k < threads.count; k++)
			list_thread(&out, threads.items[k]);
	}
	list_options(&out, &tree);
	return write_file(path, &out);
}

/* --- after a restore ----------------------------------------------------------------------------------------------- */

static bool stands(int pid)
{
	struct numbers threads = threads_of(pid);
	for (long until = now() + STOP_TIME; now() < until; rest(1)) {
		size_t stopped = 0;
		for (size_t i = 0; i < threads.count; i++)
			stopped += state_of(pid, threads.items[i]) == 'T';
		if (stopped == threads.count)
			return stopped > 0;
	}
	return false;
}

/* The main thread makes the call, and stands in its group stop again. criu may have let go of it before it had come to that: it must not be kept from it. */
static long advise(int pid, uint64_t start, uint64_t end)
{
	const char *why;
	const struct index *index = index_of(pid, &why);
	const uint64_t arguments[4] = { start, end - start, WIPE_ON_FORK };
	struct call call = { 0 };
	long result = -ESRCH, done;
	if (!index || !stands(pid) || !seize_stopped(pid, SEIZE_TIME))
		return -ESRCH;
	done = call_remotely(pid, trap_of(index), NR_madvise, arguments, &call, &result);
	SYS(NR_ptrace, PTRACE_DETACH, pid, 0, 0);
	return done ? done : stands(pid) ? result : -ESRCH;
}

static bool write_number(const char *path, uint64_t value)
{
	int fd = open_file(path, O_WRONLY);
	const char *text = format("%d\n", (long)value);
	bool good = write_all(fd, text, strlen(text)) == 0;
	SYS(NR_close, fd);
	return good;
}

static bool set(const char *kind, const uint64_t *values, const char *bytes)
{
	int who = (int)values[0];
	if (!strcmp(kind, "slack"))
		return write_number(format("/proc/%d/timerslack_ns", (long)who), values[1]);
	if (!strcmp(kind, "io"))
		return SYS(NR_ioprio_set, ONE_PROCESS, who, values[1]) == 0;
	if (!strcmp(kind, "core"))
		return write_number(format("/proc/%d/coredump_filter", (long)who), values[1]);
	return !strcmp(kind, "option") && set_option(who, values, bytes);
}

/* The words of a line, of which each becomes a string; how many. */
static size_t divide(char *line, char **words, size_t most)
{
	size_t count = 0;
	while (*line && count < most) {
		words[count++] = line;
		while (*line && *line != ' ')
			line++;
		if (*line)
			*line++ = 0;
	}
	return count;
}

static long set_line(char *line, long *lost)
{
	enum { MOST_WORDS = 6 };
	char *words[MOST_WORDS];
	uint64_t values[MOST_WORDS] = { 0 };
	size_t count = divide(line, words, MOST_WORDS);
	for (size_t i = 1; i < count && i < 5; i++)
		if (!parse_number(words[i], &values[i - 1]) || (i == 1 && values[0] > INT32_MAX))
			return -EINVAL;
	if (count == 4 && !strcmp(words[0], "wipe"))
		return advise((int)values[0], values[1], values[2]);
	*lost += !set(words[0], values, count == MOST_WORDS ? words[5] : "");
	return 0;
}

long set_attributes(const char *path, long *lost)
{
	struct text text = { 0 };
	if (!read_text(path, &text))
		return 0; /* an image of an earlier version */
	append(&text, "", 1);
	for (char *at = text.data, *line; (line = next_line(&at));) {
		long result = set_line(line, lost);
		if (result < 0)
			return result;
	}
	return 0;
}
