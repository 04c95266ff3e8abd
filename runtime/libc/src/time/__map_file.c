/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Reads a file into memory of its own.
 *
 * musl maps files of time zones and message catalogues and keeps some of them mapped for ever: a process that has asked for the
 * local time once would need the same file on every node that it goes to.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "syscall.h"

static int fill(int file, unsigned char *memory, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = __syscall(SYS_read, file, memory + done, size - done);
		if (got <= 0) return 0;
		done += got;
	}
	return 1;
}

/* The contents of a regular file, to be given back with munmap; null if it is empty or cannot be read whole. */
const unsigned char *__map_file(const char *path, size_t *size)
{
	struct stat about;
	unsigned char *memory = MAP_FAILED;
	int file = sys_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0) return 0;
	if (!__fstat(file, &about) && S_ISREG(about.st_mode) && about.st_size > 0)
		memory = __mmap(0, about.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED && !fill(file, memory, about.st_size)) {
		__munmap(memory, about.st_size);
		memory = MAP_FAILED;
	}
	__syscall(SYS_close, file);
	*size = about.st_size;
	return memory == MAP_FAILED ? 0 : memory;
}
