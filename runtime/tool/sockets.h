/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Unix sockets and their peers. */
#ifndef TOOL_SOCKETS_H
#define TOOL_SOCKETS_H

#include "base.h"

/* A line "inode inode" for each connected socket and its peer in a process's network namespace, the peer of a socket that waits to be
   accepted being the one that listens; 0 or -errno. */
long list_unix_peers(struct text *out, int pid);

enum { WAIT_FOR_ALL = 0x100 /* MSG_WAITALL */, MOST_DESCRIPTORS_SENT = 3 };

/* Sockets of this directory, for streams; a descriptor or -errno. A name that is taken is taken over. */
int listen_at(const char *name);
int connect_to(const char *name);

/* Descriptors, which travel with one byte. Received ones are not inherited. False if that fails. */
bool send_descriptors(int socket, const int *fds, size_t count);
bool receive_descriptors(int socket, int *fds, size_t count);
/* Whether a descriptor is a connection that has come to a socket of that name (listen_at). */
bool is_accepted_at(int fd, const char *name);

#endif
