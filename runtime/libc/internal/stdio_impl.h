/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Streams have buffers of a page, as glibc's: a quarter of the system calls. (BUFSIZ, the least that setbuf's has, remains 1024.)
#ifndef TRANSPROC_STDIO_IMPL_H
#define TRANSPROC_STDIO_IMPL_H

#include_next "stdio_impl.h"

#undef BUFSIZ
#define BUFSIZ 4096

#endif
