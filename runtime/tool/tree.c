/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See tree.h. */
#include "tree.h"
#include "commands.h"
#include "files.h"
#include "pages.h"

enum { AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, STATX_BASIC = 0x7ff, O_PATH = 010000000, MOST_LINK = 4096 };
enum { FORMAT = 0170000, SOCKET = 0140000, LINK = 0120000, FILE = 0100000, DIRECTORY = 0040000, PIPE = 0010000 };
enum { EISDIR = 21 };
enum { LINKS = 4, UID = 5, GID = 6, SECONDS = 8, NANOSECONDS = 9 }; /* in `before` and `between` of struct file_status */

static char piece[MOST_PIECE] __attribute__((aligned(PAGE)));

/* --- an inventory -------------------------------------------------------------------------------------------------- */

/* The end of a file that does not fill a page is as one that is filled with zeros; its size is in the description. */
static long hash_file(const char *path, struct hash *result)
{
	int fd = open_file(path, O_RDONLY | O_NONBLOCK);
	uint64_t check = 1, other = 2;
	long got, at = 0;
	if (fd < 0)
		return fd;
	while ((got = SYS(NR_pread64, fd, piece, sizeof piece, at)) > 0) {
		size_t size = ((size_t)got + PAGE - 1) & -(size_t)PAGE;
		memset(piece + got, 0, size - (size_t)got);
		for (size_t i = 0; i < size; i += PAGE) {
			struct hash hash = hash_page(piece + i);
			check = check_hashes(check, &hash);
			other = mix(other * 3 + hash.words[1]) ^ hash.words[0];
		}
		at += got;
	}
	SYS(NR_close, fd);
	*result = (struct hash){ { check, other } };
	return got;
}

static long hash_link(const char *path, struct hash *result)
{
	static char target[MOST_LINK] __attribute__((aligned(8)));
	memset(target, 0, sizeof target);
	long size = SYS(NR_readlinkat, AT_FDCWD, path, target, sizeof target);
	*result = hash_page(target);
	return size < 0 ? size : 0;
}

struct entry {
	const char *path;
	char *description; /* NULL: it is no part of a copy, as sockets are not */
	bool is_directory, has_names;
};

/* 0 or -errno. */
static long describe(const char *whole, struct entry *entry)
{
	struct file_status about;
	struct hash hash = { 0 };
	long result = SYS(NR_statx, AT_FDCWD, whole, AT_SYMLINK_NOFOLLOW, STATX_BASIC, &about);
	int type = about.mode & FORMAT;
	if (result < 0 || type == SOCKET)
		return result;
	entry->is_directory = type == DIRECTORY;
	entry->has_names = type != DIRECTORY && about.before[LINKS] > 1;
	if (type == FILE)
		result = hash_file(whole, &hash);
	else if (type == LINK)
		result = hash_link(whole, &hash);
	if (result < 0)
		return result;
	entry->description = type == DIRECTORY ? format("d") /* all are sent */ : format("%s %x %d %d %d %d %d.%d %x %x", type == FILE ? "f" : type == LINK ? "l" : type == PIPE ? "p" : "other", (long)about.mode, (long)about.before[UID],
		(long)about.before[GID], (long)about.before[LINKS], (long)about.size, (long)about.between[SECONDS], (long)(uint32_t)about.between[NANOSECONDS],
		hash.words[0], hash.words[1]);
	return 0;
}

typedef void visit(void *context, const struct entry *entry);

/* All below a directory, itself (an empty path) left out, parents first. */
static long each(const char *directory, visit *visit, void *context)
{
	struct paths paths = { .parent = "" };
	long result = each_entry(directory, add_child, &paths);
	while (result >= 0 && paths.count) {
		char *path = paths.items[--paths.count], *whole = format("%s/%s", directory, path);
		struct entry entry = { .path = path };
		result = describe(whole, &entry);
		if (entry.description)
			visit(context, &entry);
		paths.parent = path;
		if (entry.is_directory)
			result = each_entry(whole, add_child, &paths);
		result = result == -ENOENT ? 0 : result; /* the program removes what it wants */
	}
	return result;
}

static void put(struct text *text, const char *field)
{
	append(text, field, strlen(field) + 1);
}

static void list_one(void *context, const struct entry *entry)
{
	put(context, entry->path);
	put(context, entry->description);
}

long take_inventory(const char *directory, struct text *text)
{
	long result = each(directory, list_one, text);
	put(text, "");
	return result;
}

/* --- a comparison -------------------------------------------------------------------------------------------------- */

struct known {
	const char *path, *description;
	bool stays;
};

struct comparison {
	const char *name;
	struct known *items;
	size_t count;
	uint32_t *table; /* of numbers of items, and one; a power of two of them */
	size_t size;
	struct text *changed;
};

static size_t place_of(const struct comparison *comparison, const char *path)
{
	uint64_t hash = 5381;
	for (const char *at = path; *at; at++)
		hash = hash * 33 + (unsigned char)*at;
	size_t place = mix(hash) & (comparison->size - 1);
	while (comparison->table[place] && strcmp(comparison->items[comparison->table[place] - 1].path, path))
		place = (place + 1) & (comparison->size - 1);
	return place;
}

static bool read_inventory(struct text *text, struct comparison *comparison)
{
	struct text counted = *text;
	size_t count = 0;
	for (const char *path; (path = take_field(&counted)) && *path; count++)
		if (!take_field(&counted))
			return false;
	if (counted.size || count >= UINT32_MAX / 4)
		return false;
	for (comparison->size = 64; comparison->size < 2 * count; comparison->size *= 2)
		;
	comparison->table = allocate(comparison->size * sizeof *comparison->table);
	comparison->items = allocate((count + 1) * sizeof *comparison->items);
	for (; comparison->count < count; comparison->count++) {
		const char *path = take_field(text), *description = take_field(text);
		comparison->items[comparison->count] = (struct known){ path, description, false };
		size_t place = place_of(comparison, path);
		if (comparison->table[place])
			return false;
		comparison->table[place] = (uint32_t)comparison->count + 1;
	}
	const char *end = take_field(text);
	return end && !*end;
}

/* All names of a file go together, or tar would not know that it is one. */
static void compare_one(void *context, const struct entry *entry)
{
	struct comparison *comparison = context;
	uint32_t number = comparison->table[place_of(comparison, entry->path)];
	struct known *known = number ? &comparison->items[number - 1] : NULL;
	if (known && known->description[0] == entry->description[0])
		known->stays = true;
	if (known && !entry->is_directory && !entry->has_names && !strcmp(known->description, entry->description))
		return;
	put(comparison->changed, format("%s/%s", comparison->name, entry->path));
}

long compare_tree(const char *directory, struct text *inventory, struct text *changed, struct text *removed)
{
	struct comparison comparison = { .name = directory, .changed = changed };
	for (const char *at = directory; *at; at++)
		if (*at == '/')
			comparison.name = at + 1;
	if (!read_inventory(inventory, &comparison))
		return -EINVAL;
	put(changed, comparison.name);
	long result = each(directory, compare_one, &comparison);
	for (size_t i = comparison.count; i-- > 0;)
		if (!comparison.items[i].stays)
			put(removed, comparison.items[i].path);
	return result;
}

/* --- a removal ----------------------------------------------------------------------------------------------------- */

static long open_parent(int top, const char *path, const char **name)
{
	size_t end = 0;
	for (size_t i = 0; path[i]; i++)
		if (path[i] == '/')
			end = i + 1;
	*name = path + end;
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
		return -EINVAL;
	char *parent = format("./%s", path);
	parent[end + 2] = 0;
	return open_below(top, parent);
}

long remove_all(const char *directory, struct text *paths)
{
	int top = open_file(directory, O_PATH);
	const char *path, *name;
	long result = top < 0 ? top : 0;
	while (result == 0 && paths->size) {
		if (!(path = take_field(paths)))
			return -EINVAL;
		long parent = open_parent(top, path, &name);
		result = parent < 0 ? parent : SYS(NR_unlinkat, parent, name, 0);
		if (result == -EISDIR || result == -EPERM)
			result = SYS(NR_unlinkat, parent, name, AT_REMOVEDIR);
		if (parent >= 0)
			SYS(NR_close, parent);
		result = result == -ENOENT ? 0 : result;
	}
	SYS(NR_close, top);
	return result;
}

/* --- the commands -------------------------------------------------------------------------------------------------- */

static int finish(const char *what, long result)
{
	if (result == 0)
		return 0;
	char *message = result == -EINVAL ? format("transproc-stop %s: a list is damaged\n", what) : format("transproc-stop %s: errno %d\n", what, -result);
	(void)write_all(2, message, strlen(message));
	return 1;
}

int command_inventory(const struct options *options)
{
	struct text text = { 0 };
	long result = take_inventory(options->launch.directory, &text);
	return finish("inventory", result < 0 ? result : write_all(1, text.data, text.size));
}

int command_changes(const struct options *options)
{
	struct text known, changed = { 0 }, removed = { 0 };
	if (!options->list || !options->changed)
		return report_failure("usage", "--list and --changed are missing, or one of them");
	long result = read_text(options->list, &known) ? compare_tree(options->launch.directory, &known, &changed, &removed) : -EIO;
	result = result < 0 ? result : write_file(options->changed, &changed);
	return finish("changes", result < 0 || !removed.size ? result : write_all(1, removed.data, removed.size));
}

int command_remove(const struct options *options)
{
	struct text paths = { 0 };
	bool all = read_stream(0, &paths);
	return finish("remove", all ? remove_all(options->launch.directory, &paths) : -EIO);
}
