/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Small images in one piece, of which nothing is streamed: tar, and a shell around it, take longer to start than all of this takes.
 *
 *   parcel: record... end
 *   record: struct head, the path with its NUL, so many bytes of contents
 *
 * in little-endian order. What is not whole is not begun.
 */
#include "commands.h"

enum kind { END, DIRECTORY, FILE, LINK };
enum { AT_SYMLINK_NOFOLLOW = 0x100, STATX_SIZE = 0x200, MOST = 16 << 20, TOO_LARGE = 3 /* our status: it is not for the memory */ };
enum { MODE_DIRECTORY = 0700, MODE_FILE = 0600, LONGEST_PATH = 4096 };

struct head {
	uint32_t kind, path_size;
	uint64_t size;
};

struct parcel {
	struct text text;
	const char *directory;
	long result;
	bool large;
};

static void put(struct text *text, enum kind kind, const char *path, const struct text *content)
{
	struct head head = { kind, (uint32_t)strlen(path) + 1, content->size };
	append(text, (const char *)&head, sizeof head);
	append(text, path, head.path_size);
	append(text, content->data, content->size);
}

static void put_file(void *context, const char *name)
{
	struct parcel *parcel = context;
	struct text content = { 0 };
	struct file_status about;
	const char *path = format("%s/%s", parcel->directory, name);
	if (SYS(NR_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_SIZE, &about) < 0)
		parcel->result = -EIO;
	else if (parcel->text.size + about.size > MOST)
		parcel->large = true;
	else if (read_text(path, &content))
		put(&parcel->text, FILE, name, &content);
	else
		parcel->result = -EIO;
}

struct record {
	enum kind kind;
	const char *path;
	struct text content;
};

/* Takes the next record from the head of a text; false where there is none that is whole. */
static bool next(struct text *text, struct record *record)
{
	struct head head;
	if (text->size < sizeof head)
		return false;
	memcpy(&head, text->data, sizeof head);
	size_t room = text->size - sizeof head;
	if (head.kind > LINK || !head.path_size || head.path_size > LONGEST_PATH || head.path_size > room || head.size > room - head.path_size)
		return false;
	char *path = text->data + sizeof head, *content = path + head.path_size;
	*record = (struct record){ (enum kind)head.kind, path, { .data = content, .size = head.size } };
	*text = (struct text){ .data = content + head.size, .size = room - head.path_size - head.size };
	return !path[head.path_size - 1];
}

static bool is_whole(struct text text)
{
	struct record record;
	while (next(&text, &record))
		if (record.kind == END)
			return !text.size;
	return false;
}

static long unwrap(enum kind kind, const char *path, const struct text *content)
{
	if (kind == DIRECTORY) {
		long result = SYS(NR_mkdirat, AT_FDCWD, path, MODE_DIRECTORY);
		return result == -EEXIST ? 0 : result;
	}
	SYS(NR_unlinkat, AT_FDCWD, path, 0); /* what was there before, and whatever it is a link to, stays as it is */
	if (kind == LINK)
		return SYS(NR_symlinkat, content->size && !content->data[content->size - 1] ? content->data : "", AT_FDCWD, path);
	long fd = SYS(NR_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE_FILE);
	if (fd < 0)
		return fd;
	long result = write_all((int)fd, content->data, content->size), closed = SYS(NR_close, fd);
	return result < 0 ? result : closed;
}

/* Our standard output is the parcel, or nothing. */
static int complain(const char *message)
{
	(void)write_all(2, message, strlen(message)); /* the status says it as well */
	return 1;
}

int command_give(const struct options *options)
{
	struct parcel parcel = { .directory = options->launch.directory };
	long result = each_entry(parcel.directory, put_file, &parcel);
	put(&parcel.text, END, "", &(struct text){ 0 });
	if (parcel.large)
		return TOO_LARGE;
	if (result >= 0)
		result = parcel.result;
	if (result >= 0)
		result = write_all(1, parcel.text.data, parcel.text.size);
	return result < 0 ? complain(format("%s: cannot be read: errno %d\n", parcel.directory, -result)) : 0;
}

int command_take(const struct options *options)
{
	struct text text = { 0 };
	struct record record = { 0 };
	const char *directory = options->launch.directory;
	if (!read_stream(0, &text) || !is_whole(text))
		return complain("a parcel that is not whole\n");
	long result = unwrap(DIRECTORY, directory, &record.content);
	while (result >= 0 && next(&text, &record) && record.kind != END)
		result = unwrap(record.kind, format("%s/%s", directory, record.path), &record.content);
	if (result == -ENOSPC || result == -EDQUOT)
		return complain(format("%s: No space left on device\n", directory));
	return result < 0 ? complain(format("%s: cannot be written: errno %d\n", directory, -result)) : 0;
}
