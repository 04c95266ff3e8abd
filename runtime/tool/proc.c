/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See proc.h. */
#include "proc.h"

void add_number(struct numbers *list, int item)
{
	if (list->count == list->room) {
		list->room = 2 * list->room + 16;
		int *larger = allocate(list->room * sizeof *larger);
		if (list->count)
			memcpy(larger, list->items, list->count * sizeof *larger);
		list->items = larger;
	}
	list->items[list->count++] = item;
}

bool contains(const struct numbers *list, int item)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == item)
			return true;
	return false;
}

/* Adds all the decimal numbers of a text. */
static void add_numbers(struct numbers *list, const char *text)
{
	while (*text) {
		int value = 0;
		if (*text < '0' || *text > '9') {
			text++;
			continue;
		}
		for (; *text >= '0' && *text <= '9'; text++)
			value = 10 * value + (*text - '0');
		add_number(list, value);
	}
}

static void add_name(void *list, const char *name)
{
	add_numbers(list, name);
}

struct numbers threads_of(int pid)
{
	struct numbers list = { 0 };
	each_entry(format("/proc/%d/task", (long)pid), add_name, &list);
	return list;
}

static struct numbers children_of(int pid, int tid)
{
	char *text = read_file(format("/proc/%d/task/%d/children", (long)pid, (long)tid));
	struct numbers children = { 0 };
	if (text)
		add_numbers(&children, text);
	return children;
}

struct numbers zombies_of(int pid)
{
	struct numbers threads = threads_of(pid), found = { 0 };
	for (size_t i = 0; i < threads.count; i++) {
		struct numbers children = children_of(pid, threads.items[i]);
		for (size_t child = 0; child < children.count; child++)
			if (state_of(children.items[child], children.items[child]) == 'Z')
				add_number(&found, children.items[child]);
	}
	return found;
}

static void add_tree(struct numbers *list, int pid)
{
	struct numbers threads = threads_of(pid);
	char state = state_of(pid, pid);
	if (!threads.count || (state == 'Z' && threads.count == 1) || contains(list, pid))
		return;
	add_number(list, pid);
	for (size_t i = 0; i < threads.count; i++) {
		struct numbers children = children_of(pid, threads.items[i]);
		for (size_t child = 0; child < children.count; child++)
			add_tree(list, children.items[child]);
	}
}

struct numbers tree_of(int pid)
{
	struct numbers list = { 0 };
	add_tree(&list, pid);
	return list;
}

long status_number(int tid, const char *field)
{
	char *text = read_file(format("/proc/%d/status", (long)tid));
	size_t size = strlen(field);
	for (; text && *text; text++) {
		if (memcmp(text, field, size) == 0 && text[size] == ':') {
			long value = 0;
			for (text += size + 1; *text == '\t' || *text == ' ';)
				text++;
			for (; *text >= '0' && *text <= '9'; text++)
				value = 10 * value + (*text - '0');
			return value;
		}
		while (text[0] && text[0] != '\n')
			text++;
		if (!*text)
			break;
	}
	return -1;
}

char state_of(int pid, int tid)
{
	char *text = read_file(format("/proc/%d/task/%d/stat", (long)pid, (long)tid));
	char *after = NULL;
	for (char *at = text; at && *at; at++) /* the name may hold anything, so the last parenthesis counts */
		if (*at == ')')
			after = at;
	return after && after[1] ? after[2] : 0;
}

static bool next_word(char **at, char **word)
{
	while (**at == ' ' || **at == '\n')
		(*at)++;
	*word = *at;
	while (**at && **at != ' ' && **at != '\n')
		(*at)++;
	if (**at)
		*(*at)++ = 0;
	return **word != 0;
}

/* "NUMBER ARGUMENTS... SP PC", "-1 SP PC" or "running" (proc(5)). */
static bool parse_position(int pid, int tid, long *call, uint64_t *sp, uint64_t *pc)
{
	char *text = read_file(format("/proc/%d/task/%d/syscall", (long)pid, (long)tid));
	char *word, *last = NULL, *before = NULL;
	uint64_t number = 0;
	if (!text || !next_word(&text, &word) || !strcmp(word, "running"))
		return false;
	bool in_call = word[0] != '-' && parse_number(word, &number);
	*call = in_call ? (long)number : -1;
	while (next_word(&text, &word)) {
		before = last;
		last = word;
	}
	return last && parse_number(last, pc) && before && parse_number(before, sp);
}

bool position_of(int pid, int tid, long *call, uint64_t *pc)
{
	uint64_t sp;
	return parse_position(pid, tid, call, &sp, pc);
}

bool stack_of(int pid, int tid, uint64_t *sp)
{
	uint64_t pc;
	long call;
	return parse_position(pid, tid, &call, sp, &pc);
}

bool call_of(int pid, int tid, uint64_t *call, uint64_t *first)
{
	char *text = read_file(format("/proc/%d/task/%d/syscall", (long)pid, (long)tid)), *word;
	return text && next_word(&text, &word) && parse_number(word, call) && next_word(&text, &word) && parse_number(word, first);
}

bool is_userfault(const char *path)
{
	static const char meant[] = "anon_inode:[userfaultfd]";
	char is[sizeof meant] = { 0 };
	SYS(NR_readlinkat, AT_FDCWD, path, is, sizeof is - 1);
	return !strcmp(is, meant);
}
