/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See tree.h. */
#include "tree.h"
#include "commands.h"
#include "contents.h"
#include "files.h"

enum { AT_REMOVEDIR = 0x200, MOST_LINK = 4096, EISDIR = 21 };
enum { LARGE = 1 << 20 /* bytes of a file of which blocks are told */, MOST_TOLD = 32 << 20 /* bytes of blocks' hashes, in an inventory */ };

/* --- an inventory -------------------------------------------------------------------------------------------------- */

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
	uint64_t size, block;
	struct hash hash;
	struct text hashes; /* of its blocks: valid until the next one */
};

/* What is done with each. `block_of`: of that path, 0 for one that is chosen here; false: nobody wants to know the blocks' hashes. */
struct visitor {
	bool (*block_of)(void *context, const char *path, uint64_t *block);
	void (*visit)(void *context, const struct entry *entry);
	void *context;
};

/* A file that has several names, or runs as its owner, always goes as a whole: nothing is written into it. */
static long hash_file(const char *whole, const struct file_status *about, const struct visitor *visitor, struct entry *entry)
{
	static struct text hashes;
	bool whole_only = entry->has_names || about->mode & SET_ID || about->size < LARGE;
	bool told = visitor->block_of(visitor->context, entry->path, &entry->block) && !whole_only;
	int fd = open_file(whole, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	hashes.size = 0;
	entry->block = told && entry->block ? entry->block : block_of(about->size);
	long result = hash_contents(fd, entry->block, &entry->hash, told ? &hashes : NULL);
	entry->hashes = hashes;
	SYS(NR_close, fd);
	return result;
}

/* 0 or -errno. */
static long describe(const char *whole, const struct visitor *visitor, struct entry *entry)
{
	struct file_status about;
	long result = SYS(NR_statx, AT_FDCWD, whole, AT_SYMLINK_NOFOLLOW, STATX_BASIC, &about);
	int type = about.mode & FORMAT;
	if (result < 0 || type == SOCKET)
		return result;
	entry->is_directory = type == DIRECTORY;
	entry->has_names = type != DIRECTORY && about.before[LINKS] > 1;
	entry->size = about.size;
	if (type == FILE)
		result = hash_file(whole, &about, visitor, entry);
	else if (type == LINK)
		result = hash_link(whole, &entry->hash);
	if (result < 0)
		return result;
	entry->description = type == DIRECTORY ? format("d") /* all are sent */ : format("%s %x %d %d %d %d %d.%d %x %x", type == FILE ? "f" : type == LINK ? "l" : type == PIPE ? "p" : "other", (long)about.mode, (long)about.before[UID],
		(long)about.before[GID], (long)about.before[LINKS], (long)about.size, (long)about.between[SECONDS], (long)(uint32_t)about.between[NANOSECONDS],
		entry->hash.words[0], entry->hash.words[1]);
	return 0;
}

/* All below a directory, itself (an empty path) left out, parents first. */
static long each(const char *directory, const struct visitor *visitor)
{
	struct paths paths = { .parent = "" };
	long result = each_entry(directory, add_child, &paths);
	while (result >= 0 && paths.count) {
		char *path = paths.items[--paths.count], *whole = format("%s/%s", directory, path);
		struct entry entry = { .path = path };
		result = describe(whole, visitor, &entry);
		if (entry.description)
			visitor->visit(visitor->context, &entry);
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

struct listing {
	struct text *text;
	size_t told;
};

static bool has_room(void *context, const char *path, uint64_t *block)
{
	(void)path, (void)block;
	return ((struct listing *)context)->told < MOST_TOLD;
}

static void list_one(void *context, const struct entry *entry)
{
	struct listing *listing = context;
	put(listing->text, entry->path);
	put(listing->text, entry->description);
	struct blocks blocks = { entry->hashes.size ? (uint32_t)entry->block : 0, (uint32_t)(entry->hashes.size / sizeof(struct hash)) };
	append(listing->text, (const char *)&blocks, sizeof blocks);
	append(listing->text, entry->hashes.data, entry->hashes.size);
	listing->told += entry->hashes.size;
}

long take_inventory(const char *directory, struct text *text)
{
	struct listing listing = { .text = text };
	long result = each(directory, &(struct visitor){ has_room, list_one, &listing });
	put(text, "");
	return result;
}

/* --- a comparison -------------------------------------------------------------------------------------------------- */

struct known {
	const char *path, *description, *hashes;
	struct blocks blocks;
	bool stays;
};

struct comparison {
	const char *name;
	struct known *items;
	size_t count;
	uint32_t *table; /* of numbers of items, and one; a power of two of them */
	size_t size;
	struct text *changed, *patched;
	size_t patches;
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

/* Takes the next from the head of an inventory; false at its end (an empty path) and where there is none that is whole. */
static bool take_known(struct text *text, struct known *known)
{
	*known = (struct known){ .path = take_field(text) };
	if (!known->path || !*known->path || !(known->description = take_field(text)) || text->size < sizeof known->blocks)
		return false;
	memcpy(&known->blocks, text->data, sizeof known->blocks);
	known->hashes = text->data + sizeof known->blocks;
	size_t size = known->blocks.count * sizeof(struct hash), room = text->size - sizeof known->blocks;
	if (size > room || (known->blocks.block ? !is_block(known->blocks.block) : size > 0))
		return false;
	*text = (struct text){ .data = text->data + sizeof known->blocks + size, .size = room - size };
	return true;
}

static bool read_inventory(struct text *text, struct comparison *comparison)
{
	struct text counted = *text;
	struct known known;
	size_t count = 0;
	while (take_known(&counted, &known))
		count++;
	if (!known.path || *known.path || counted.size || count >= UINT32_MAX / 4)
		return false;
	for (comparison->size = 64; comparison->size < 2 * count; comparison->size *= 2)
		;
	comparison->table = allocate(comparison->size * sizeof *comparison->table);
	comparison->items = allocate((count + 1) * sizeof *comparison->items);
	while (take_known(text, &comparison->items[comparison->count])) {
		size_t place = place_of(comparison, comparison->items[comparison->count].path);
		if (comparison->table[place])
			return false;
		comparison->table[place] = (uint32_t)++comparison->count;
	}
	return true;
}

static struct known *known_at(const struct comparison *comparison, const char *path)
{
	uint32_t number = comparison->table[place_of(comparison, path)];
	return number ? &comparison->items[number - 1] : NULL;
}

static bool known_block(void *context, const char *path, uint64_t *block)
{
	const struct comparison *comparison = context;
	const struct known *known = known_at(comparison, path);
	*block = known ? known->blocks.block : 0;
	return *block && comparison->patched;
}

/* See patch.h. */
static void list_blocks(struct comparison *comparison, const struct known *known, const struct entry *entry)
{
	struct text *text = comparison->patched;
	size_t count = entry->hashes.size / sizeof(struct hash);
	comparison->patches++;
	put(text, entry->path);
	put(text, format("%d", (long)entry->block));
	put(text, format("%x", entry->hash.words[0]));
	put(text, format("%x", entry->hash.words[1]));
	for (size_t i = 0, first = 0; i <= count; i++) {
		size_t at = i * sizeof(struct hash);
		if (i < count && (i >= known->blocks.count || memcmp(known->hashes + at, entry->hashes.data + at, sizeof(struct hash))))
			continue;
		uint64_t start = first * entry->block, end = i * entry->block < entry->size ? i * entry->block : entry->size;
		if (start < end) {
			put(text, format("%d", (long)start));
			put(text, format("%d", (long)end));
		}
		first = i + 1;
	}
	put(text, "");
}

/* All names of a file go together, or tar would not know that it is one. */
static void compare_one(void *context, const struct entry *entry)
{
	struct comparison *comparison = context;
	struct known *known = known_at(comparison, entry->path);
	if (known && known->description[0] == entry->description[0])
		known->stays = true;
	if (known && !entry->is_directory && !entry->has_names && !strcmp(known->description, entry->description))
		return;
	if (known && known->stays && entry->hashes.size)
		list_blocks(comparison, known, entry);
	else
		put(comparison->changed, format("%s/%s", comparison->name, entry->path));
}

long compare_tree(const char *directory, struct text *inventory, const struct difference *difference)
{
	struct comparison comparison = { .name = directory, .changed = difference->changed, .patched = difference->patched };
	for (const char *at = directory; *at; at++)
		if (*at == '/')
			comparison.name = at + 1;
	if (!read_inventory(inventory, &comparison))
		return -EINVAL;
	put(difference->changed, comparison.name);
	long result = each(directory, &(struct visitor){ known_block, compare_one, &comparison });
	put(difference->removed, format("%d", (long)comparison.patches));
	for (size_t i = comparison.count; i-- > 0;)
		if (!comparison.items[i].stays)
			put(difference->removed, comparison.items[i].path);
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
	struct text known, changed = { 0 }, patched = { 0 }, removed = { 0 };
	struct difference difference = { &changed, options->patched ? &patched : NULL, &removed };
	if (!options->list || !options->changed)
		return report_failure("usage", "--list and --changed are missing, or one of them");
	long result = read_text(options->list, &known) ? compare_tree(options->launch.directory, &known, &difference) : -EIO;
	result = result < 0 ? result : write_file(options->changed, &changed);
	result = result < 0 || !options->patched ? result : write_file(options->patched, &patched);
	return finish("changes", result < 0 ? result : write_all(1, removed.data, removed.size));
}

int command_remove(const struct options *options)
{
	struct text paths = { 0 };
	bool all = read_stream(0, &paths);
	return finish("remove", all ? remove_all(options->launch.directory, &paths) : -EIO);
}
