/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Streams have buffers of a page, as glibc's: a quarter of the system calls. (BUFSIZ, the least that setbuf's has, remains 1024.)
#ifndef TRANSPROC_STDIO_IMPL_H
#define TRANSPROC_STDIO_IMPL_H

#include_next "stdio_impl.h"

#undef BUFSIZ
#define BUFSIZ 4096

#include <stddef.h>
#include <bits/inline_stdio.h>

#define SAME_PLACE(ours, musls) _Static_assert(offsetof(struct __stream, ours) == offsetof(FILE, musls), #ours)
SAME_PLACE(__next_in, rpos);
SAME_PLACE(__end_in, rend);
SAME_PLACE(__next_out, wpos);
SAME_PLACE(__end_out, wend);
SAME_PLACE(__line_end, lbf);

#endif
