/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See request.h. */
#include "request.h"

enum { LARGEST_REQUEST = 64 << 20, PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22, MFD_CLOEXEC = 1, SEEK_START = 0 };

char *read_request(const struct request_head *head)
{
	if (head->size < sizeof(struct request) || head->size > LARGEST_REQUEST)
		return NULL;
	long data = SYS(NR_mmap, 0, head->size + 1, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
	if (data < 0 && data > -4096)
		return NULL;
	return read_all(0, (char *)data, head->size) ? (char *)data : NULL;
}

char **words_of(char *data, size_t size, char **input)
{
	const struct request *request = (const struct request *)data;
	char *at = data + sizeof *request, *end = data + size;
	uint32_t number = request->words & ~LATER;
	if (number == 0 || number > size)
		return NULL;
	char **words = allocate((number + 1) * sizeof *words);
	for (size_t i = 0; i < number; i++) {
		words[i] = at;
		while (at < end && *at)
			at++;
		if (at++ >= end)
			return NULL;
	}
	*input = at;
	return words;
}

int input_file(const char *input, size_t size)
{
	if (!size)
		return open_file("/dev/null", O_RDONLY);
	int fd = (int)SYS(NR_memfd_create, "stdin", MFD_CLOEXEC);
	if (fd >= 0 && (write_all(fd, input, size) < 0 || SYS(NR_lseek, fd, 0, SEEK_START) < 0))
		return -ENOMEM;
	return fd;
}
