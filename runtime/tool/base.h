/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What transproc-stop stands on instead of a C library: system calls that return -errno, memory that is never given back (the
 * tool lives for milliseconds; a supervisor allocates nothing after its start), and text.
 */
#ifndef TOOL_BASE_H
#define TOOL_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "isa.h"

#define SYS(...) SYS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define SYS_(n, a, b, c, d, e, f, ...) raw_syscall((long)(n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Kernel constants that are the same on every ISA we know (asm-generic). */
enum { EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EEXIST = 17, EINVAL = 22, ENOSPC = 28, ENOSYS = 38, ETIMEDOUT = 110, EDQUOT = 122 };
enum {
	SIGHUP = 1, SIGINT = 2, SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9, SIGSEGV = 11, SIGTERM = 15, SIGCHLD = 17,
	SIGCONT = 18, SIGSTOP = 19, SIGTTOU = 22, SIGSYS = 31,
};
enum { O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_EXCL = 0200, O_TRUNC = 01000, O_APPEND = 02000, O_NONBLOCK = 04000, O_CLOEXEC = 02000000 };
enum { PUNCH_HOLE = 2 | 1 /* of fallocate(2): FALLOC_FL_PUNCH_HOLE, which wants _KEEP_SIZE */ };
enum { WNOHANG = 1, WALL = 0x40000000 };
enum { AT_FDCWD = -100 };

struct timespec {
	long seconds, nanoseconds;
};

/* struct statx (linux/stat.h). */
struct file_status {
	uint32_t before[7];
	uint16_t mode, pad;
	uint64_t inode, size, between[10];
	uint32_t special_major, special_minor; /* of a device's own */
	uint32_t device_major, device_minor;
	uint64_t after[14];
};
_Static_assert(offsetof(struct file_status, device_major) == 0x88 && sizeof(struct file_status) == 256, "struct statx");

/* Zeroed memory; ends the tool when there is none. */
void *allocate(size_t size);

/* Whether what is allocated from now on is shared with processes that are forked later: one that is forked says no first. */
void share_memory(bool shared);

/* Milliseconds of CLOCK_MONOTONIC. */
long now(void);

int open_file(const char *path, int flags);
bool file_exists(const char *path);
/* Reads a whole (small) file into new, NUL-terminated memory; NULL if it cannot be read. */
char *read_file(const char *path);

/* Calls `visit` with the names in a directory, but for . and ..; 0 or -errno. */
long each_entry(const char *path, void (*visit)(void *context, const char *name), void *context);

/* Paths still to be looked at in a walk, and that of the directory which is read; they are relative to where it began, which may be "". */
struct paths {
	char **items, *parent;
	size_t count, room;
};

void add_path(struct paths *paths, char *path);
/* A visitor of each_entry: adds what is in `parent`. */
void add_child(void *paths, const char *name);

/* fork(2). */
long spawn(void);
/* linux/signal.h and asm-generic/siginfo.h; the kernel's struct sigaction is shorter on aarch64, zeros behind it do no harm. */
struct child_info {
	int32_t signal, error, code /* CLD_ */, pad, pid;
	uint32_t uid;
	int32_t status, rest[25];
};
_Static_assert(sizeof(struct child_info) == 128, "siginfo_t");
enum { CLD_EXITED = 1 };
/* Waits until a child has ended, which is not reaped; 0 or -errno. */
long await_child(int pid, struct child_info *info);
/* A child's, from what wait4(2) tells: 128 + n for signal n, as shells have it. */
int exit_status(int status);
void rest(long milliseconds);
_Noreturn void leave(int status);

/* Growing text. */
struct text {
	char *data;
	size_t size, room;
};

void append(struct text *text, const char *data, size_t size);
/* %s string, %d long, %x unsigned long (with 0x), %j string in JSON quotes, %% */
void vprint(struct text *text, const char *format, va_list arguments);
void print(struct text *text, const char *format, ...);
char *format(const char *format, ...);
/* Reads a whole (small) file; false if it cannot be read. */
bool read_text(const char *path, struct text *text);
/* Appends all that comes until the end of a stream; false if that fails. */
bool read_stream(int fd, struct text *text);
/* Takes the next string, ended by NUL, from the head of a text that was read; NULL if no NUL is left. */
const char *take_field(struct text *text);
/* Reads so many bytes; false if the stream ends before, or fails. */
bool read_all(int fd, void *data, size_t size);
/* Writes everything: 0 or -errno, when a part may have been written. */
[[nodiscard]] long write_all(int fd, const char *data, size_t size);
/* Both: 0 or -errno. The second so that readers see all of it or none. */
[[nodiscard]] long write_file(const char *path, const struct text *text);
[[nodiscard]] long replace_file(const char *path, const char *content);

/* The number that is all of `text`: decimal, or hexadecimal after 0x; false if it is something else, or needs more than 64 bits. */
bool parse_number(const char *text, uint64_t *value);
/* The number that is all of a file but for a newline; false if it cannot be read or holds something else. */
bool read_number(const char *path, uint64_t *value);

#endif
