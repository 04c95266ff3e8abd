/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Device and inode numbers that programs go on seeing when their files have been copied to another node.
 *
 * A file that moved with its job carries them in an extended attribute, with the real numbers beside them: on a copy of the file that
 * the program makes with all attributes, these do not fit, and the attribute means nothing. A file that has come into being after a
 * migration has its real numbers, in a device number that no other node can give: the count of migrations is in the major number, above
 * what the kernel uses (linux/kdev_t.h: 12 bits).
 */
#ifndef TRANSPROC_IDENTITY_H
#define TRANSPROC_IDENTITY_H

#include <stdint.h>

#define TRANSPROC_ATTRIBUTE "user.transproc"

struct transproc_file {
	uint32_t major, minor;
	uint64_t inode;
};

/* The attribute of files. A job's executable has another: the number of the job's migrations so far, 8 bytes. */
struct transproc_identity {
	struct transproc_file real, seen;
};

static inline struct transproc_file transproc_fresh(struct transproc_file real, uint64_t moves)
{
	real.major |= (uint32_t)moves << 12;
	return real;
}

static inline int transproc_same(struct transproc_file a, struct transproc_file b)
{
	return a.major == b.major && a.minor == b.minor && a.inode == b.inode;
}

#endif
