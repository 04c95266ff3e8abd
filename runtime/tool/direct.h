/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Reads that go from a device, or a file system's server, straight into a program's memory: the pages are pinned before, and no fault tells when
 * they are written.
 */
#ifndef TOOL_DIRECT_H
#define TOOL_DIRECT_H

#include "proc.h"

/*
 * Whether a process may have such a read on its way while it runs on: it has a descriptor with O_DIRECT, or an AIO context. (Nobody who uses io_uring,
 * or devices that write to memory by themselves, is migrated.) True as well if that cannot be known.
 */
bool reads_directly(int pid);

/*
 * Whether a thread of it waits in a read from a file that may be such a one without a word of it: FUSE, 9p and network file systems pin pages when
 * they like, and a descriptor may have been closed meanwhile.
 */
bool waits_for_file(int pid);

#endif
