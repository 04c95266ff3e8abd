/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See base.h. */
#include "base.h"

_Noreturn void leave(int status)
{
	for (;;)
		SYS(NR_exit_group, status);
}

long now(void)
{
	struct timespec time = { 0 };
	SYS(NR_clock_gettime, 1, &time);
	return time.seconds * 1000 + time.nanoseconds / 1000000;
}

int open_file(const char *path, int flags)
{
	return (int)SYS(NR_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0644);
}

bool file_exists(const char *path)
{
	return SYS(NR_faccessat, AT_FDCWD, path, 0) == 0;
}

long write_file(const char *path, const struct text *text)
{
	int fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	long result = write_all(fd, text->data, text->size), closed = SYS(NR_close, fd);
	return result < 0 ? result : closed;
}

long replace_file(const char *path, const char *content)
{
	char *draft = format("%s.new", path);
	struct text text = { 0 };
	append(&text, content, strlen(content));
	long result = write_file(draft, &text);
	if (result == 0)
		result = SYS(NR_renameat2, AT_FDCWD, draft, AT_FDCWD, path, 0);
	if (result < 0)
		SYS(NR_unlinkat, AT_FDCWD, draft, 0);
	return result;
}

bool read_stream(int fd, struct text *text)
{
	static char buffer[16384];
	long count;
	while ((count = SYS(NR_read, fd, buffer, sizeof buffer)) > 0)
		append(text, buffer, (size_t)count);
	return count == 0;
}

bool read_text(const char *path, struct text *text)
{
	int fd = open_file(path, O_RDONLY);
	*text = (struct text){ 0 };
	if (fd < 0)
		return false;
	bool all = read_stream(fd, text);
	SYS(NR_close, fd);
	return all;
}

char *read_file(const char *path)
{
	struct text text;
	if (!read_text(path, &text))
		return NULL;
	append(&text, "", 1);
	return text.data;
}

const char *take_field(struct text *text)
{
	for (size_t size = 0; size < text->size; size++) {
		if (text->data[size])
			continue;
		const char *field = text->data;
		text->data += size + 1;
		text->size -= size + 1;
		return field;
	}
	return NULL;
}

/* linux/dirent.h */
struct linux_dirent64 {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

long each_entry(const char *path, void (*visit)(void *context, const char *name), void *context)
{
	char buffer[16384] __attribute__((aligned(8))); /* not one for all: what is visited may be a directory itself */
	long count;
	int fd = open_file(path, O_RDONLY | O_NONBLOCK); /* a pipe that has taken the directory's place must not hold us up */
	if (fd < 0)
		return fd;
	while ((count = SYS(NR_getdents64, fd, buffer, sizeof buffer)) > 0) {
		for (long at = 0; at < count;) {
			struct linux_dirent64 *entry = (struct linux_dirent64 *)(buffer + at);
			if (strcmp(entry->name, ".") && strcmp(entry->name, ".."))
				visit(context, entry->name);
			at += entry->size;
		}
	}
	SYS(NR_close, fd);
	return count;
}

void add_path(struct paths *paths, char *path)
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

void add_child(void *context, const char *name)
{
	struct paths *paths = context;
	add_path(paths, *paths->parent ? format("%s/%s", paths->parent, name) : format("%s", name));
}

long spawn(void)
{
	return SYS(NR_clone, SIGCHLD, 0, 0, 0, 0);
}

long await_child(int pid, struct child_info *info)
{
	enum { P_PID = 1, WEXITED = 4, WNOWAIT = 0x01000000 };
	long result;
	do {
		memset(info, 0, sizeof *info);
		result = SYS(NR_waitid, P_PID, pid, info, WEXITED | WNOWAIT, 0);
	} while (result == -EINTR);
	return result;
}

int exit_status(int status) { return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff; }

void rest(long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	uint64_t none = 0;
	SYS(NR_rt_sigtimedwait, &none, 0, &time, sizeof none);
}

void append(struct text *text, const char *data, size_t size)
{
	if (text->size + size > text->room) {
		text->room = 2 * text->room + size + 128;
		char *larger = allocate(text->room);
		if (text->size)
			memcpy(larger, text->data, text->size);
		text->data = larger;
	}
	memcpy(text->data + text->size, data, size);
	text->size += size;
}

static void append_unsigned(struct text *text, uint64_t value, unsigned base)
{
	char digits[24];
	char *at = digits + sizeof digits;
	do
		*--at = "0123456789abcdef"[value % base];
	while (value /= base);
	append(text, at, (size_t)(digits + sizeof digits - at));
}

static void append_quoted(struct text *text, const char *string)
{
	append(text, "\"", 1);
	for (; *string; string++) {
		unsigned char c = (unsigned char)*string;
		if (c == '"' || c == '\\') {
			append(text, "\\", 1);
			append(text, string, 1);
		} else if (c >= ' ') {
			append(text, string, 1);
		} else {
			char escaped[6] = { '\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };
			append(text, escaped, sizeof escaped);
		}
	}
	append(text, "\"", 1);
}

static void append_item(struct text *text, char kind, va_list *arguments)
{
	if (kind == 's') {
		const char *string = va_arg(*arguments, const char *);
		append(text, string, strlen(string));
	} else if (kind == 'j') {
		append_quoted(text, va_arg(*arguments, const char *));
	} else if (kind == 'd') {
		long value = va_arg(*arguments, long);
		if (value < 0)
			append(text, "-", 1);
		append_unsigned(text, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
	} else if (kind == 'x') {
		append(text, "0x", 2);
		append_unsigned(text, va_arg(*arguments, unsigned long), 16);
	} else {
		append(text, &kind, 1);
	}
}

void vprint(struct text *text, const char *format, va_list arguments)
{
	va_list rest;
	va_copy(rest, arguments);
	for (; *format; format++) {
		if (*format == '%')
			append_item(text, *++format, &rest);
		else
			append(text, format, 1);
	}
	va_end(rest);
}

void print(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vprint(text, format, arguments);
	va_end(arguments);
}

char *format(const char *format, ...)
{
	struct text text = { 0 };
	va_list arguments;
	va_start(arguments, format);
	vprint(&text, format, arguments);
	va_end(arguments);
	append(&text, "", 1);
	return text.data;
}

bool read_all(int fd, void *data, size_t size)
{
	for (char *at = data; size;) {
		long got = SYS(NR_read, fd, at, size);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

long write_all(int fd, const char *data, size_t size)
{
	while (size) {
		long count = SYS(NR_write, fd, data, size);
		if (count == -EINTR)
			continue;
		if (count <= 0)
			return count ? count : -EIO;
		data += count;
		size -= (size_t)count;
	}
	return 0;
}

bool parse_number(const char *text, uint64_t *value)
{
	bool hexadecimal = text[0] == '0' && text[1] == 'x';
	uint64_t base = hexadecimal ? 16 : 10, result = 0;
	text += hexadecimal ? 2 : 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		char c = *text;
		uint64_t digit = c >= '0' && c <= '9' ? (uint64_t)(c - '0') : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10) : 99;
		if (digit >= base || result > (UINT64_MAX - digit) / base)
			return false;
		result = result * base + digit;
	}
	*value = result;
	return true;
}

bool read_number(const char *path, uint64_t *value)
{
	char *text = read_file(path);
	if (!text)
		return false;
	size_t size = strlen(text);
	if (size && text[size - 1] == '\n')
		text[size - 1] = 0;
	return parse_number(text, value);
}
