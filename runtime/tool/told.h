/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Answers on standard output, of which many leave with one system call. */
#ifndef TOOL_TOLD_H
#define TOOL_TOLD_H

#include "pages.h"

/* struct iovec */
struct part {
	uint64_t start, size;
};

/* `data`: `size` bytes behind the answer, which must not change before `flush`. Both are false if nobody reads it any more. */
bool tell(enum answer_kind kind, uint32_t pid, uint64_t start, uint64_t end, const void *data, uint64_t size, uint64_t check);
bool flush(void);

#endif
