/* See files.h. */
#include "files.h"
#include "transproc/identity.h"

enum { AT_SYMLINK_NOFOLLOW = 0x100, STATX_TYPE_INO = 0x101, S_IFMT = 0170000, S_IFDIR = 0040000, S_IFREG = 0100000 };

/* Paths still to be looked at, relative to the directory. */
struct paths {
	char **items, *parent;
	size_t count, room;
};

static void add_path(struct paths *paths, char *path)
{
	if (paths->count == paths->room) {
		paths->room = 2 * paths->room + 64;
		char **larger = allocate(paths->room * sizeof *larger);
		if (paths->count)
			memcpy(larger, paths->items, paths->count * sizeof *larger);
		paths->items = larger;
	}
	paths->items[paths->count++] = path;
}

static void add_child(void *context, const char *name)
{
	struct paths *paths = context;
	add_path(paths, format("%s/%s", paths->parent, name));
}

/* False for what has no attributes of its own: symbolic links, pipes, sockets; and for what is not there. */
static bool look(const char *path, struct transproc_file *real, bool *directory)
{
	struct file_status about;
	if (SYS(NR_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE_INO, &about) < 0)
		return false;
	*real = (struct transproc_file){ about.device_major, about.device_minor, about.inode };
	*directory = (about.mode & S_IFMT) == S_IFDIR;
	return *directory || (about.mode & S_IFMT) == S_IFREG;
}

static struct transproc_file seen_by_programs(const char *path, struct transproc_file real, uint64_t moves)
{
	struct transproc_identity identity;
	long size = SYS(NR_lgetxattr, path, TRANSPROC_ATTRIBUTE, &identity, sizeof identity);
	if (size == sizeof identity && transproc_same(identity.real, real))
		return identity.seen;
	return transproc_fresh(real, moves);
}

long list_files(const char *directory, const char *list, uint64_t moves)
{
	struct paths paths = { 0 };
	struct text text = { 0 };
	add_path(&paths, format("."));
	while (paths.count) {
		char *name = paths.items[--paths.count], *path = format("%s/%s", directory, name);
		struct transproc_file real;
		bool is_directory;
		if (!look(path, &real, &is_directory))
			continue;
		struct transproc_file seen = seen_by_programs(path, real, moves);
		append(&text, name, strlen(name) + 1);
		const uint64_t numbers[] = { seen.major, seen.minor, seen.inode };
		for (size_t i = 0; i < 3; i++) {
			char *number = format("%x", numbers[i]);
			append(&text, number, strlen(number) + 1);
		}
		paths.parent = name;
		long result = is_directory ? each_entry(path, add_child, &paths) : 0;
		if (result < 0)
			return result;
	}
	append(&text, "", 1);
	return write_file(list, &text);
}

/* The next number of the list; moves `at` behind it. */
static uint64_t take(const char **at)
{
	uint64_t value = 0;
	parse_number(*at, &value);
	*at += strlen(*at) + 1;
	return value;
}

long name_files(const char *directory, const char *list)
{
	const char *at = read_file(list);
	long refused = 0;
	while (at && *at) {
		const char *path = format("%s/%s", directory, at);
		struct transproc_identity identity;
		bool is_directory;
		at += strlen(at) + 1;
		identity.seen.major = (uint32_t)take(&at);
		identity.seen.minor = (uint32_t)take(&at);
		identity.seen.inode = take(&at);
		if (look(path, &identity.real, &is_directory))
			refused += SYS(NR_lsetxattr, path, TRANSPROC_ATTRIBUTE, &identity, sizeof identity, 0) < 0;
	}
	return refused;
}

void note_moves(int pid, uint64_t moves)
{
	SYS(NR_setxattr, format("/proc/%d/exe", (long)pid), TRANSPROC_ATTRIBUTE, &moves, sizeof moves, 0);
}
