/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Text that the kernel, or we, have written: lines, the bounds of mappings, bytes in hexadecimal. */
#ifndef TOOL_LINES_H
#define TOOL_LINES_H

#include "base.h"

/* The next line, which becomes a string, of text with a NUL behind it; NULL at its end. */
char *next_line(char **text);

/* START-END, in hexadecimal without a sign of that, as lines of maps and smaps begin; false for other lines, and nothing changes. */
bool take_bounds(const char **line, uint64_t bounds[2]);

/* A number in hexadecimal without a sign of that; false, and 0, if there is none. */
bool take_hexadecimal(const char **at, uint64_t *value);
/* A digit of a number in hexadecimal, or -1. */
int hex_digit(char c);
/* Takes bytes, of two digits each, at most so many; how many there were. */
size_t take_bytes(const char **text, uint8_t *bytes, size_t most);
/* A string of two digits for each byte. */
char *digits_of(const uint8_t *bytes, size_t size);

#endif
