/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* statx(2), by which all of stat's kin are done, with the device and inode numbers that the program knows: see transproc/identity.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include "libc.h"
#include "syscall.h"
#include <transproc/args.h>
#include <transproc/identity.h>

#define DESCRIPTOR "/proc/self/fd/"
#define ROOM (sizeof DESCRIPTOR + 3 * sizeof(int) + 1 + PATH_MAX)

static long read_attribute(const char *path, int flags, struct transproc_identity *identity)
{
	long call = flags & AT_SYMLINK_NOFOLLOW ? SYS_lgetxattr : SYS_getxattr;
	return __syscall(call, path, TRANSPROC_ATTRIBUTE, identity, sizeof *identity);
}

/* Of a file that is named as the *at functions do it; there is no such call for attributes before Linux 6.13. */
static long read_attribute_at(int directory, const char *path, int flags, struct transproc_identity *identity)
{
	char name[ROOM];
	size_t length = strlen(path);
	if (*path == '/' || (directory == AT_FDCWD && *path)) return read_attribute(path, flags, identity);
	if (directory == AT_FDCWD) return read_attribute(".", 0, identity);
	if (length >= PATH_MAX) return -1;
	__procfdname(name, directory);
	if (length) {
		strcat(name, "/");
		strcat(name, path);
	}
	return read_attribute(name, length ? flags : 0, identity);
}

static void identify(int directory, const char *path, int flags, struct statx *about, uint64_t moves)
{
	struct transproc_file real = { about->stx_dev_major, about->stx_dev_minor, about->stx_ino };
	struct transproc_file seen = transproc_fresh(real, moves);
	struct transproc_identity identity;
	if ((S_ISREG(about->stx_mode) || S_ISDIR(about->stx_mode))
	    && read_attribute_at(directory, path, flags, &identity) == sizeof identity && transproc_same(identity.real, real))
		seen = identity.seen;
	about->stx_dev_major = seen.major;
	about->stx_dev_minor = seen.minor;
	about->stx_ino = seen.inode;
}

int __statx(int directory, const char *restrict path, int flags, unsigned mask, struct statx *restrict about)
{
	int result;
	uint64_t moves;
	do { /* a process that moves between the two calls has the one node's numbers and the other's attribute */
		moves = __transproc_moves();
		result = __syscall(SYS_statx, directory, path, flags, mask, about);
		if (!result && moves) identify(directory, path, flags, about, moves);
	} while (moves != __transproc_moves());
	return __syscall_ret(result);
}

weak_alias(__statx, statx);
