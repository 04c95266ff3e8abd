/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A dump without what large memory holds. */
#ifndef TOOL_WITHHOLD_H
#define TOOL_WITHHOLD_H

#include "supervise.h"
#include "withheld.h"

/*
 * Runs `criu dump` of a tree so that it takes most pages of large anonymous mappings for absent, and writes to `path` which: a line
 * "PID START END" (hexadecimal) each. criu asks the kernel which pages there are (PAGEMAP_SCAN); a seccomp filter brings this question to us, and we
 * answer it. Where criu or the kernel do otherwise nothing is withheld, and `path` is empty. `mappings`: NULL, or the directory of
 * watch.h; what that says of a process criu reads instead of its smaps. Returns criu's exit status, or -errno.
 */
long dump_withholding(const struct launch *criu, int pid, const char *path, const char *mappings);

#endif
