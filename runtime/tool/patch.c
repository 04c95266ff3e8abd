/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See patch.h. */
#include "patch.h"
#include "commands.h"
#include "files.h"

enum { LONGEST_PATH = 4096, PERMISSIONS = 01777 };
enum { DIFFERENT = -EAGAIN, DAMAGED = -EINVAL };

static char data[MOST_PIECE] __attribute__((aligned(PAGE)));

/* A regular file below a directory. A descriptor or -errno. */
static long open_regular(int top, const char *path, int flags, struct file_status *about)
{
	long found = open_below(top, path);
	if (found < 0)
		return found;
	long result = SYS(NR_statx, found, "", AT_EMPTY_PATH, STATX_BASIC, about);
	if (result >= 0)
		result = (about->mode & FORMAT) == FILE ? open_file(format("/proc/self/fd/%d", found), flags) : DIFFERENT;
	SYS(NR_close, found);
	return result;
}

/* --- who has the file ---------------------------------------------------------------------------------------------- */

static long tell(enum patch_kind kind, uint64_t start, uint64_t size, const void *more, size_t count)
{
	struct patch patch = { kind, 0, start, size };
	long result = write_all(1, (const char *)&patch, sizeof patch);
	return result < 0 ? result : write_all(1, more, count);
}

/* A page of zeros at the end of which the file ends is one of them as well. */
static long give_piece(uint64_t start, size_t size)
{
	long result = 0;
	memset(data + size, 0, -size & (PAGE - 1));
	for (size_t at = 0, next; at < size && result == 0; at = next) {
		bool zero = is_zero_page(data + at);
		for (next = at + PAGE; next < size && is_zero_page(data + next) == zero; next += PAGE)
			;
		next = next < size ? next : size;
		result = zero ? tell(PATCH_ZEROS, start + at, next - at, NULL, 0) : tell(PATCH_DATA, start + at, next - at, data + at, next - at);
	}
	return result;
}

/* A file that is cut short meanwhile ends there. */
static long give_range(int fd, uint64_t start, uint64_t end)
{
	long got = 1, result = 0;
	for (uint64_t at = start; at < end && got > 0 && result == 0; at += (uint64_t)got) {
		got = read_at(fd, data, end - at < sizeof data ? end - at : sizeof data, at);
		result = got < 0 ? got : give_piece(at, (size_t)got);
	}
	return result;
}

static bool take_number(struct text *list, uint64_t *value)
{
	const char *field = take_field(list);
	return field && parse_number(field, value);
}

/* All of one file's ranges; nothing is sent without a descriptor. */
static long give_ranges(int fd, struct text *list)
{
	const char *field;
	uint64_t start, end;
	long result = 0;
	while ((field = take_field(list)) && *field) {
		if (!parse_number(field, &start) || !take_number(list, &end))
			return DAMAGED;
		if (fd >= 0 && result == 0)
			result = give_range(fd, start, end);
	}
	return field ? result : DAMAGED;
}

static long give_file(int top, const char *path, bool changing, struct text *list)
{
	struct file_status about;
	struct patched patched = { 0 };
	if (!take_number(list, &patched.block) || !take_number(list, &patched.hash.words[0]) || !take_number(list, &patched.hash.words[1]))
		return DAMAGED;
	long fd = open_regular(top, path, O_RDONLY, &about);
	if (fd < 0) {
		long result = give_ranges(-1, list);
		return changing || result < 0 ? result : fd; /* the program removes what it wants */
	}
	patched.size = about.size;
	patched.seconds = (int64_t)about.between[SECONDS];
	patched.nanoseconds = (uint32_t)about.between[NANOSECONDS];
	patched.mode = about.mode & PERMISSIONS;
	patched.uid = about.before[UID];
	patched.gid = about.before[GID];
	size_t length = strlen(path) + 1;
	long result = tell(PATCH_FILE, 0, length, &patched, sizeof patched);
	result = result < 0 ? result : write_all(1, path, length);
	result = result < 0 ? result : give_ranges((int)fd, list);
	SYS(NR_close, fd);
	return result < 0 ? result : tell(PATCH_DONE, 0, 0, NULL, 0);
}

/* --- who has the copy ---------------------------------------------------------------------------------------------- */

struct copy {
	long fd; /* -1: of none */
	bool changing;
	struct patched patched;
	const char *path;
};

static long begin_copy(int top, struct copy *copy, uint64_t length)
{
	struct file_status about;
	char *path = allocate(LONGEST_PATH);
	if (copy->fd >= 0 || !length || length > LONGEST_PATH || !read_all(0, &copy->patched, sizeof copy->patched) || !read_all(0, path, length))
		return DAMAGED;
	if (path[length - 1] || !is_block(copy->patched.block) || copy->patched.mode & ~(uint32_t)PERMISSIONS || (int64_t)copy->patched.size < 0)
		return DAMAGED;
	copy->path = path;
	copy->fd = open_regular(top, path, O_RDWR, &about);
	if (copy->fd < 0)
		return copy->fd;
	if (about.before[LINKS] != 1 || about.mode & SET_ID)
		return DIFFERENT;
	return SYS(NR_ftruncate, copy->fd, copy->patched.size);
}

static long write_data(int fd, uint64_t start, uint64_t size)
{
	for (size_t at = 0; at < size;) {
		long got = SYS(NR_pwrite64, fd, data + at, size - at, start + at);
		if (got <= 0)
			return got ? got : -EIO;
		at += (size_t)got;
	}
	return 0;
}

/* A file system without holes keeps zeros. */
static long write_zeros(int fd, uint64_t start, uint64_t size)
{
	if (SYS(NR_fallocate, fd, PUNCH_HOLE, start, size) == 0)
		return 0;
	memset(data, 0, size);
	return write_data(fd, start, size);
}

static long write_piece(const struct copy *copy, const struct patch *patch)
{
	if (copy->fd < 0 || patch->size > MOST_PIECE || patch->start > copy->patched.size || patch->size > copy->patched.size - patch->start)
		return DAMAGED;
	if (patch->kind == PATCH_ZEROS)
		return write_zeros((int)copy->fd, patch->start, patch->size);
	if (!read_all(0, data, patch->size))
		return DAMAGED;
	return write_data((int)copy->fd, patch->start, patch->size);
}

/* What changed on its way, or while it was looked at, shows in what has become of it. */
static long end_copy(struct copy *copy)
{
	const struct patched *wanted = &copy->patched;
	struct timespec times[2] = { { wanted->seconds, wanted->nanoseconds }, { wanted->seconds, wanted->nanoseconds } };
	const char *name = format("/proc/self/fd/%d", copy->fd);
	struct hash hash;
	if (copy->fd < 0)
		return DAMAGED;
	long result = copy->changing ? 0 : hash_contents((int)copy->fd, wanted->block, &hash, NULL);
	if (result == 0 && !copy->changing && memcmp(&hash, &wanted->hash, sizeof hash))
		result = DIFFERENT;
	if (result == 0 && (result = SYS(NR_fchown, copy->fd, wanted->uid, wanted->gid)) == 0 && (result = SYS(NR_fchmodat, AT_FDCWD, name, wanted->mode)) == 0)
		result = SYS(NR_utimensat, AT_FDCWD, name, times, 0);
	SYS(NR_close, copy->fd);
	copy->fd = -1;
	return result;
}

static long take_patches(int top, struct copy *copy)
{
	struct patch patch;
	long result = 0;
	while (result >= 0) {
		if (!read_all(0, &patch, sizeof patch) || patch.kind > PATCH_DONE)
			return DAMAGED;
		if (patch.kind == PATCH_END)
			return copy->fd < 0 ? 0 : DAMAGED;
		result = patch.kind == PATCH_FILE ? begin_copy(top, copy, patch.size) : patch.kind == PATCH_DONE ? end_copy(copy) : write_piece(copy, &patch);
	}
	return result;
}

/* --- the commands -------------------------------------------------------------------------------------------------- */

static int finish(const char *what, const char *path, long result)
{
	const char *why = result == -ENOSPC || result == -EDQUOT ? "No space left on device" : result == DAMAGED ? "a list or a stream is damaged" :
			  result == DIFFERENT ? "it is not what it should be" : format("errno %d", -result);
	if (result >= 0)
		return 0;
	char *message = format("transproc-stop %s: %s: %s\n", what, path, why);
	(void)write_all(2, message, strlen(message)); /* the status says it as well */
	return 1;
}

int command_blocks(const struct options *options)
{
	struct text list;
	const char *path = options->list;
	int top = open_file(options->launch.directory, O_PATH);
	long result = top < 0 ? top : read_text(options->list, &list) ? 0 : -EIO;
	while (result == 0 && list.size && (path = take_field(&list)))
		result = give_file(top, path, options->changing, &list);
	return finish("blocks", path ? path : options->list, result < 0 ? result : path ? tell(PATCH_END, 0, 0, NULL, 0) : DAMAGED);
}

int command_patch(const struct options *options)
{
	struct copy copy = { .fd = -1, .changing = options->changing, .path = options->launch.directory };
	int top = open_file(options->launch.directory, O_PATH);
	long result = top < 0 ? top : take_patches(top, &copy);
	return finish("patch", copy.path, result);
}
