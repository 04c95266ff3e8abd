/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Unix sockets and their peers. */
#ifndef TOOL_SOCKETS_H
#define TOOL_SOCKETS_H

#include "base.h"

/* A line "inode inode" for each connected socket and its peer in a process's network namespace, the peer of a socket that waits to be
   accepted being the one that listens; 0 or -errno. */
long list_unix_peers(struct text *out, int pid);

#endif
