/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See files.h. */
#include "files.h"
#include "proc.h"
#include "transproc/identity.h"

enum { AT_SYMLINK_NOFOLLOW = 0x100, AT_EMPTY_PATH = 0x1000, O_PATH = 010000000, STATX_TYPE_INO = 0x101, S_IFMT = 0170000, S_IFDIR = 0040000, S_IFREG = 0100000 };
enum { RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8 };

/* False for what has no attributes of its own: symbolic links, pipes, sockets; and for what is not there. `path` may be empty. */
static bool look(int at, const char *path, struct transproc_file *real, bool *directory)
{
	struct file_status about;
	if (SYS(NR_statx, at, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_TYPE_INO, &about) < 0)
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

/* Calls `visit` with every path in a directory, itself as "."; relative to it, and whole. Stops at what cannot be read: 0 or -errno. */
static long each_path(const char *directory, void (*visit)(void *context, const char *name, const char *path), void *context)
{
	struct paths paths = { 0 };
	add_path(&paths, format("."));
	while (paths.count) {
		char *name = paths.items[--paths.count], *path = format("%s/%s", directory, name);
		struct transproc_file real;
		bool is_directory;
		if (!look(AT_FDCWD, path, &real, &is_directory))
			continue;
		visit(context, name, path);
		paths.parent = name;
		long result = is_directory ? each_entry(path, add_child, &paths) : 0;
		if (result < 0)
			return result;
	}
	return 0;
}

struct listing {
	struct text text;
	uint64_t moves;
};

static void list_file(void *context, const char *name, const char *path)
{
	struct listing *listing = context;
	struct transproc_file real;
	bool is_directory;
	if (!look(AT_FDCWD, path, &real, &is_directory))
		return;
	struct transproc_file seen = seen_by_programs(path, real, listing->moves);
	append(&listing->text, name, strlen(name) + 1);
	const uint64_t numbers[] = { seen.major, seen.minor, seen.inode };
	for (size_t i = 0; i < 3; i++) {
		char *number = format("%x", numbers[i]);
		append(&listing->text, number, strlen(number) + 1);
	}
}

long list_files(const char *directory, const char *list, uint64_t moves)
{
	struct listing listing = { .moves = moves };
	long result = each_path(directory, list_file, &listing);
	append(&listing.text, "", 1);
	return result < 0 ? result : write_file(list, &listing.text);
}

/* criu/files-reg.c: create_link_remap. */
static bool is_link(const char *path)
{
	static const char prefix[] = "link_remap.";
	const char *name = path;
	for (const char *at = path; *at; at++)
		if (*at == '/')
			name = at + 1;
	if (strlen(name) < sizeof prefix || memcmp(name, prefix, sizeof prefix - 1))
		return false;
	for (name += sizeof prefix - 1; *name >= '0' && *name <= '9'; name++)
		;
	return !*name;
}

static void remove_link(void *context, const char *name, const char *path)
{
	struct text list = *(const struct text *)context;
	const char *known;
	if (!is_link(path))
		return;
	while ((known = take_field(&list)) && strcmp(known, name))
		;
	if (!known)
		SYS(NR_unlinkat, AT_FDCWD, path, 0);
}

void remove_links(const char *directory, const char *list)
{
	struct text text;
	if (read_text(list, &text) && text.size)
		each_path(directory, remove_link, &text);
}

bool has_proc(int pid)
{
	return file_exists(format("/proc/%d/root/proc/self", (long)pid));
}

void remove_mount_points(int pid)
{
	enum { AT_REMOVEDIR = 0x200 };
	struct numbers tree = tree_of(pid);
	for (size_t i = 0; i < tree.count; i++)
		if (!has_proc(tree.items[i])) /* criu/pie/parasite.c: get_proc_fd */
			SYS(NR_unlinkat, AT_FDCWD, format("/proc/%d/cwd/proc.crtools", (long)tree.items[i]), AT_REMOVEDIR);
}

long open_below(int directory, const char *path)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = { O_PATH | O_CLOEXEC, 0, RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH };
	return SYS(NR_openat2, directory, path, &how, sizeof how);
}

/* Gives one file its identity; false if the file system, or an old kernel, refuses. What is not there needs none. */
static bool name_file(int directory, const char *path, struct transproc_file seen)
{
	struct transproc_identity identity = { .seen = seen };
	bool is_directory, done = true;
	int fd = (int)open_below(directory, path);
	if (fd < 0)
		return fd == -ENOENT;
	const char *open_one = format("/proc/self/fd/%d", (long)fd); /* attributes cannot be set through O_PATH, but by this name */
	if (look(fd, "", &identity.real, &is_directory))
		done = SYS(NR_setxattr, open_one, TRANSPROC_ATTRIBUTE, &identity, sizeof identity, 0) == 0;
	SYS(NR_close, fd);
	return done;
}

/* The next number of the list; false if there is none. */
static bool take(struct text *list, uint64_t most, uint64_t *value)
{
	const char *field = take_field(list);
	return field && parse_number(field, value) && *value <= most;
}

long name_files(const char *directory, const char *list)
{
	struct text text;
	const char *path;
	long refused = 0;
	int top = open_file(directory, O_PATH);
	if (top < 0 || !read_text(list, &text))
		return top < 0 ? top : -EIO;
	while ((path = take_field(&text)) && *path) {
		uint64_t major, minor, inode;
		if (!take(&text, UINT32_MAX, &major) || !take(&text, UINT32_MAX, &minor) || !take(&text, UINT64_MAX, &inode))
			return -EINVAL;
		refused += !name_file(top, path, (struct transproc_file){ (uint32_t)major, (uint32_t)minor, inode });
	}
	SYS(NR_close, top);
	return path ? refused : -EINVAL;
}

long note_moves(int pid, uint64_t moves)
{
	return SYS(NR_setxattr, format("/proc/%d/exe", (long)pid), TRANSPROC_ATTRIBUTE, &moves, sizeof moves, 0);
}
