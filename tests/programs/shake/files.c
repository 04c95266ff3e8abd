/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files, of which each byte is known, and where each descriptor stands; and directories that are being read. */
#include "shake.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { FILES = 6, SIZE = 1 << 16, DESCRIPTORS = 3, ENTRIES = 60, MOST_AT_ONCE = 6000 };

struct file {
	bool used, has_name, locked, ranged; /* the last: a part of it is (F_OFD_SETLK), else all (flock) */
	int names; /* that it has had */
	size_t size;
	struct {
		int fd;
		size_t offset, shares; /* the first descriptor with the same open file */
		bool appends;
	} descriptors[DESCRIPTORS]; /* -1: none */
	char bytes[SIZE];
};

struct files {
	struct file items[FILES];
	DIR *directory;
	bool seen[ENTRIES];
	int watch, watched, made;
};

static char *name_of(struct worker *worker, const struct file *file)
{
	static _Thread_local char name[64];
	snprintf(name, sizeof name, "file.%d.%d.%d", worker->number, (int)(file - worker->files->items), file->names);
	return name;
}

static struct file *pick(struct worker *worker)
{
	struct file *file = &worker->files->items[below(worker, FILES)];
	return file->used && !worker->child ? file : NULL;
}

static size_t pick_descriptor(struct worker *worker, struct file *file)
{
	size_t which = below(worker, DESCRIPTORS);
	return file->descriptors[which].fd >= 0 ? which : 0; /* the first is always there */
}

static void close_file(struct worker *worker, struct file *file)
{
	for (size_t i = 0; i < DESCRIPTORS; i++)
		if (file->descriptors[i].fd >= 0)
			close(file->descriptors[i].fd);
	if (file->has_name)
		MUST(worker, unlink(name_of(worker, file)) == 0);
	file->used = false;
}

static void make_file(struct worker *worker)
{
	struct file *file = &worker->files->items[below(worker, FILES)];
	int names = file->names;
	if (worker->child || (file->used && !one_in(worker, 3)))
		return;
	if (file->used)
		close_file(worker, file);
	memset(file, 0, sizeof *file);
	*file = (struct file){ .used = true, .has_name = true, .names = names };
	int fd = open(name_of(worker, file), O_RDWR | O_CREAT | O_EXCL, 0600);
	MUST(worker, fd >= 0);
	for (size_t i = 0; i < DESCRIPTORS; i++)
		file->descriptors[i].fd = i ? -1 : fd;
}

/* A second descriptor: of the same open file, or one of its own. */
static void open_more(struct worker *worker)
{
	struct file *file = pick(worker);
	size_t which = 1 + below(worker, DESCRIPTORS - 1);
	if (!file)
		return;
	if (file->descriptors[which].fd >= 0) {
		close(file->descriptors[which].fd);
		file->descriptors[which].fd = -1;
		return;
	}
	bool shares = !file->has_name || one_in(worker, 2), appends = one_in(worker, 2);
	int fd = shares ? fcntl(file->descriptors[0].fd, F_DUPFD_CLOEXEC, 3) : open(name_of(worker, file), O_RDWR | (appends ? O_APPEND : 0));
	MUST(worker, fd >= 0);
	file->descriptors[which].fd = fd;
	file->descriptors[which].offset = 0;
	file->descriptors[which].shares = shares ? 0 : which;
	file->descriptors[which].appends = !shares && appends;
}

static size_t *offset_of(struct file *file, size_t which)
{
	return &file->descriptors[file->descriptors[which].shares].offset;
}

static void write_file(struct worker *worker)
{
	static _Thread_local char bytes[MOST_AT_ONCE];
	struct file *file = pick(worker);
	if (!file)
		return;
	size_t which = pick_descriptor(worker, file), count = below(worker, MOST_AT_ONCE), *offset = offset_of(file, which);
	bool at_place = one_in(worker, 2) && !file->descriptors[which].appends;
	size_t place = at_place ? below(worker, SIZE) : file->descriptors[which].appends ? file->size : *offset;
	if (place + count > SIZE)
		return;
	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)next(worker);
	if (at_place)
		MUST(worker, pwrite(file->descriptors[which].fd, bytes, count, (off_t)place) == (ssize_t)count);
	else
		MUST(worker, write(file->descriptors[which].fd, bytes, count) == (ssize_t)count);
	if (!at_place && (count || !file->descriptors[which].appends))
		*offset = place + count;
	memcpy(file->bytes + place, bytes, count);
	if (count && place + count > file->size)
		file->size = place + count;
}

static void read_file(struct worker *worker)
{
	static _Thread_local char bytes[MOST_AT_ONCE];
	struct file *file = pick(worker);
	if (!file)
		return;
	size_t which = pick_descriptor(worker, file), count = below(worker, MOST_AT_ONCE), *offset = offset_of(file, which);
	size_t left = *offset < file->size ? file->size - *offset : 0, expected = left < count ? left : count;
	MUST(worker, read(file->descriptors[which].fd, bytes, count) == (ssize_t)expected);
	MUST(worker, memcmp(bytes, file->bytes + *offset, expected) == 0);
	*offset += expected;
}

static void seek_file(struct worker *worker)
{
	struct file *file = pick(worker);
	if (!file)
		return;
	size_t which = pick_descriptor(worker, file), *offset = offset_of(file, which);
	MUST(worker, lseek(file->descriptors[which].fd, 0, SEEK_CUR) == (off_t)*offset);
	*offset = below(worker, SIZE);
	MUST(worker, lseek(file->descriptors[which].fd, (off_t)*offset, SEEK_SET) == (off_t)*offset);
}

static void cut_file(struct worker *worker)
{
	struct file *file = pick(worker);
	if (!file)
		return;
	size_t size = below(worker, SIZE);
	MUST(worker, ftruncate(file->descriptors[0].fd, (off_t)size) == 0);
	if (size < file->size)
		memset(file->bytes + size, 0, file->size - size);
	file->size = size;
}

static void rename_file(struct worker *worker)
{
	static _Thread_local char before[64];
	struct file *file = pick(worker);
	if (!file || !file->has_name)
		return;
	strcpy(before, name_of(worker, file));
	file->names++;
	if (one_in(worker, 2)) {
		MUST(worker, rename(before, name_of(worker, file)) == 0);
	} else {
		MUST(worker, link(before, name_of(worker, file)) == 0);
		MUST(worker, unlink(before) == 0);
	}
}

/* It lives as long as it is open. */
static void remove_file(struct worker *worker)
{
	struct file *file = pick(worker);
	if (!file || !file->has_name)
		return;
	MUST(worker, unlink(name_of(worker, file)) == 0);
	file->has_name = false;
}

static struct flock part_of(short kind)
{
	return (struct flock){ .l_type = kind, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1000 };
}

/* Whether a lock keeps another open file out; of one that has a name. */
static void lock_file(struct worker *worker)
{
	struct file *file = pick(worker);
	if (!file || worker->child)
		return;
	if (file->has_name) {
		int other = open(name_of(worker, file), O_RDWR);
		struct flock part = part_of(F_WRLCK);
		int got = file->ranged ? fcntl(other, F_OFD_SETLK, &part) : flock(other, LOCK_EX | LOCK_NB);
		MUST(worker, other >= 0 && (got < 0 && errno == EWOULDBLOCK) == file->locked);
		close(other);
	}
	if (!file->locked)
		file->ranged = one_in(worker, 2);
	struct flock part = part_of(file->locked ? F_UNLCK : F_WRLCK);
	if (file->ranged)
		MUST(worker, fcntl(file->descriptors[0].fd, F_OFD_SETLK, &part) == 0);
	else
		MUST(worker, flock(file->descriptors[0].fd, file->locked ? LOCK_UN : LOCK_EX) == 0);
	file->locked = !file->locked;
}

static void check_file(struct worker *worker, struct file *file)
{
	static _Thread_local char bytes[SIZE + 1];
	struct stat about;
	if (!file->used)
		return;
	MUST(worker, pread(file->descriptors[0].fd, bytes, SIZE + 1, 0) == (ssize_t)file->size);
	for (size_t i = 0; i < file->size; i++)
		if (bytes[i] != file->bytes[i])
			wrong(worker, "byte of a file", i, (uint64_t)(file - worker->files->items));
	MUST(worker, fstat(file->descriptors[0].fd, &about) == 0 && about.st_nlink == (file->has_name ? 1 : 0));
	for (size_t i = 0; i < DESCRIPTORS; i++)
		if (file->descriptors[i].fd >= 0) {
			MUST(worker, lseek(file->descriptors[i].fd, 0, SEEK_CUR) == (off_t)*offset_of(file, i));
			MUST(worker, !(fcntl(file->descriptors[i].fd, F_GETFL) & O_APPEND) == !file->descriptors[i].appends);
		}
	found(worker, file->size);
}

static void check_one_file(struct worker *worker)
{
	struct file *file = pick(worker);
	if (file)
		check_file(worker, file);
}

/* --- memory that the kernel reads and writes ----------------------------------------------------------------------- */

char outside_byte(size_t place)
{
	return (char)((place * 0x9e3779b97f4a7c15u) >> 56);
}

/* From the disk into a page, past the page cache. */
static void read_outside(struct worker *worker)
{
	char *page = lend_page(worker);
	size_t place = below(worker, OUTSIDE / PAGE) * PAGE;
	int fd = page && *outside != '-' ? open(outside, O_RDONLY | O_DIRECT) : -1;
	if (fd < 0)
		return;
	MUST(worker, pread(fd, page, PAGE, (off_t)place) == PAGE);
	close(fd);
	for (size_t i = 0; i < PAGE; i++)
		if (page[i] != outside_byte(place + i))
			wrong(worker, "byte that was read past the cache", (unsigned char)page[i], i);
	believe_page(worker, page);
}

/* --- directories --------------------------------------------------------------------------------------------------- */

static char *entry_of(struct worker *worker, int number)
{
	static _Thread_local char name[64];
	snprintf(name, sizeof name, "directory.%d/%d", worker->number, number);
	return name;
}

static void read_directory(struct worker *worker)
{
	struct files *files = worker->files;
	char name[64];
	if (worker->child)
		return;
	if (!files->directory) {
		snprintf(name, sizeof name, "directory.%d", worker->number);
		MUST(worker, (files->directory = opendir(name)) != NULL);
		memset(files->seen, 0, sizeof files->seen);
	}
	for (size_t n = below(worker, ENTRIES / 2); n; n--) {
		struct dirent *entry = readdir(files->directory);
		if (!entry) {
			for (size_t i = 0; i < ENTRIES; i++)
				MUST(worker, files->seen[i]);
			closedir(files->directory);
			files->directory = NULL;
			return;
		}
		int number = atoi(entry->d_name);
		MUST(worker, entry->d_name[0] == '.' || (number >= 0 && number < ENTRIES && !files->seen[number]));
		if (entry->d_name[0] != '.')
			files->seen[number] = true;
	}
}

/* What is watched is told of; what happens just before a migration may be lost (docs/limits.md). */
static void watch(struct worker *worker)
{
	enum { ATTEMPTS = 50 };
	static _Thread_local char events[4096];
	struct files *files = worker->files;
	char name[64];
	if (worker->child)
		return;
	if (files->watch < 0) {
		snprintf(name, sizeof name, "watched.%d", worker->number);
		MUST(worker, mkdir(name, 0700) == 0);
		MUST(worker, (files->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) >= 0);
		MUST(worker, (files->watched = inotify_add_watch(files->watch, name, IN_CREATE)) >= 0);
	}
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		snprintf(name, sizeof name, "watched.%d/%d", worker->number, files->made++);
		int fd = open(name, O_CREAT | O_RDWR, 0600);
		MUST(worker, fd >= 0 && close(fd) == 0 && unlink(name) == 0);
		ssize_t got = read(files->watch, events, sizeof events);
		if (got > 0) {
			MUST(worker, ((struct inotify_event *)events)->wd == files->watched);
			return;
		}
		usleep(1000);
	}
	wrong(worker, "nothing is told of a watched directory", ATTEMPTS, 1);
}

void check_files(struct worker *worker)
{
	for (size_t i = 0; i < FILES; i++)
		check_file(worker, &worker->files->items[i]);
}

void prepare_files(struct worker *worker)
{
	char name[64];
	worker->files = mmap(NULL, sizeof *worker->files, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(worker, worker->files != MAP_FAILED);
	worker->files->watch = -1;
	snprintf(name, sizeof name, "directory.%d", worker->number);
	MUST(worker, mkdir(name, 0700) == 0);
	for (int i = 0; i < ENTRIES; i++) {
		int fd = open(entry_of(worker, i), O_CREAT | O_RDWR, 0600);
		MUST(worker, fd >= 0 && close(fd) == 0);
	}
}

const struct deed file_deeds[] = {
	{ "file", 3, make_file }, { "open", 3, open_more }, { "write", 6, write_file }, { "read", 6, read_file }, { "seek", 2, seek_file }, { "cut", 1, cut_file }, { "rename", 2, rename_file },
	{ "unlink", 1, remove_file }, { "lock", 2, lock_file }, { "checkfile", 3, check_one_file }, { "direct", 4, read_outside }, { "directory", 2, read_directory },
	{ "inotify", 1, watch }, { 0 },
};
