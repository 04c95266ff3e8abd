/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Large files of which a copy is on another node, and of which blocks are different there: only these travel, and are written into the copy.
 *
 * A list of them (tree.c), all fields ended by NUL: for each a path, the size of a block, the two words of its hash (contents.h), pairs of where what is
 * different begins and ends, and an empty field. What is sent is a stream of `struct patch`, where paths and data follow one.
 */
#ifndef TOOL_PATCH_H
#define TOOL_PATCH_H

#include "contents.h"

enum patch_kind {
	PATCH_END, /* nothing follows */
	PATCH_FILE, /* a `struct patched`, and a path of `size` bytes with its NUL */
	PATCH_DATA, /* at `start`: `size` bytes, at most MOST_PIECE */
	PATCH_ZEROS, /* at `start`, `size` bytes of them */
	PATCH_DONE, /* the file is whole */
};

struct patch {
	uint32_t kind, none;
	uint64_t start, size;
};

/* What the file shall be in the end. */
struct patched {
	uint64_t size, block;
	struct hash hash;
	int64_t seconds; /* when it was changed last */
	uint32_t nanoseconds, mode, uid, gid;
};

#endif
