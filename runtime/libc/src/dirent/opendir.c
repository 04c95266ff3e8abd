/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <fcntl.h>
#include "syscall.h"
#include "stream.h"

DIR *opendir(const char *name)
{
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return 0;
	DIR *stream = __open_stream(fd);
	if (!stream) __syscall(SYS_close, fd);
	return stream;
}
