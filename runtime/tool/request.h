/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Requests to run programs, as the host sends them (docs/format.md, section 7). */
#ifndef TOOL_REQUEST_H
#define TOOL_REQUEST_H

#include "base.h"

struct request_head {
	uint32_t id, size; /* of what follows; 0: the program is to end */
};

#define LATER 0x80000000u /* in `words`: its standard input comes in a request of its own, of no words */

struct request {
	uint32_t milliseconds, words; /* its deadline, 0 for none; then `words` strings, then its standard input */
};

/* What follows a head, in memory of its own with a NUL behind it, to be given back by munmap(2); NULL if there is less, or too much. */
char *read_request(const struct request_head *head);
/* The words of a request, ended by NULL, and where its standard input begins; NULL if it does not have so many. */
char **words_of(char *data, size_t size, char **input);
/* A file with a program's standard input, at its beginning; or -errno. */
int input_file(const char *input, size_t size);

#endif
