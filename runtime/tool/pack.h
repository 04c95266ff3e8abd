/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams that are packed (lz4.h) where that pays: `pack` runs a program whose output goes over a link, `unpack` one that gets it. They are pieces, each with
 * a `struct piece` before it. They are packed if little passes as they are, less than over a link of 200 Mbit/s, and then only as long as more passes packed,
 * which is tried now and then: a link that waits for us, or is no faster for it because processors are busy, gets them as they are.
 */
#ifndef TOOL_PACK_H
#define TOOL_PACK_H

#include "base.h"

enum { MOST_PIECE_SIZE = 1 << 18 };

struct piece {
	uint32_t size, packed; /* bytes that follow: `size` of them if it is as it was */
};

#endif
