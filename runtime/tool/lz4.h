/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * LZ4's block format (a token of two lengths, literals, a distance of at most 64 kB), which is quick on any processor: some hundred MB a second to write,
 * some thousand to read. What is read may be anything.
 */
#ifndef TOOL_LZ4_H
#define TOOL_LZ4_H

#include "base.h"

enum { LZ4_MOST = 1 << 20 /* bytes at once */, LZ4_SLACK = 32 /* bytes behind both buffers of `lz4_expand` that are its own */ };

/* Returns how many bytes it has become, 0 if that were more than `room`. */
size_t lz4_pack(const char *from, size_t size, char *to, size_t room);

/* Whether it becomes `wanted` bytes. */
bool lz4_expand(const char *from, size_t size, char *to, size_t wanted);

#endif
