/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A directory stream holds all names of its directory, read at once when the first is asked for: so it goes on behind the last name that it
 * has returned wherever the process is. A position of the kernel's would mean nothing in the copy of the directory on another node.
 * Which names a stream shows that are added or removed while it is open, POSIX leaves open. */
#ifndef DIRENT_STREAM_H
#define DIRENT_STREAM_H

#include <dirent.h>
#include <stddef.h>

struct __dirstream {
	int fd;
	volatile int lock[1];
	int loaded;           /* the names are there */
	char *records;        /* struct dirent, one behind the other */
	size_t *offsets;      /* of each in `records` */
	size_t count, next;   /* how many; the one that comes next, which is the position that telldir gives */
};

/* A stream for an open directory; null with errno if there is no memory. */
hidden DIR *__open_stream(int fd);
/* Gives the names back, so that they are read again. */
hidden void __forget_names(DIR *stream);

#endif
