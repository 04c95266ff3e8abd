/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "stream.h"

DIR *__open_stream(int fd)
{
	DIR *stream = calloc(1, sizeof *stream);
	if (stream) stream->fd = fd;
	return stream;
}

DIR *fdopendir(int fd)
{
	struct stat about;
	if (fstat(fd, &about) < 0) return 0;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0) return 0;
	if (flags & O_PATH || !S_ISDIR(about.st_mode)) {
		errno = flags & O_PATH ? EBADF : ENOTDIR;
		return 0;
	}
	DIR *stream = __open_stream(fd);
	if (stream) fcntl(fd, F_SETFD, FD_CLOEXEC);
	return stream;
}
