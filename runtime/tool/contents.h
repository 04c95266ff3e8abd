/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is in a file, as it is compared with a copy on another node: a hash of each of its blocks, and one of all these. */
#ifndef TOOL_CONTENTS_H
#define TOOL_CONTENTS_H

#include "pages.h"

enum { MOST_BLOCKS = 1 << 17 /* of a file, as long as they do not get larger than MOST_PIECE */ };
enum { AT_SYMLINK_NOFOLLOW = 0x100, AT_EMPTY_PATH = 0x1000, STATX_BASIC = 0x7ff, O_PATH = 010000000 };
enum { FORMAT = 0170000, SET_ID = 06000, SOCKET = 0140000, LINK = 0120000, FILE = 0100000, DIRECTORY = 0040000, PIPE = 0010000 };
enum { LINKS = 4, UID = 5, GID = 6, SECONDS = 8, NANOSECONDS = 9 }; /* in `before` and `between` of struct file_status */

/* Bytes of a block of a file of that size: those of one inventory take little room, and one page of a database that was changed is not much more. */
uint64_t block_of(uint64_t size);
bool is_block(uint64_t block);

/*
 * `hashes`: NULL, or where those of the blocks are appended. A block that does not fill a page is as one that is filled with zeros, and a hole is as
 * zeros, which are not read. 0 or -errno.
 */
long hash_contents(int fd, uint64_t block, struct hash *whole, struct text *hashes);

/* At most so many bytes, fewer at the end only; or -errno. */
long read_at(int fd, char *data, size_t size, uint64_t place);

#endif
