/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See lines.h. */
#include "lines.h"

char *next_line(char **text)
{
	char *line = *text, *end = line;
	if (!*line)
		return NULL;
	while (*end && *end != '\n')
		end++;
	*text = *end ? end + 1 : end;
	*end = 0;
	return line;
}

bool take_hexadecimal(const char **at, uint64_t *value)
{
	const char *begin = *at;
	for (*value = 0; hex_digit(**at) >= 0; ++*at)
		*value = *value << 4 | (uint64_t)hex_digit(**at);
	return *at > begin;
}

bool take_bounds(const char **line, uint64_t bounds[2])
{
	const char *at = *line;
	uint64_t start, end;
	if (!take_hexadecimal(&at, &start) || *at++ != '-' || !take_hexadecimal(&at, &end) || *at++ != ' ')
		return false;
	bounds[0] = start;
	bounds[1] = end;
	*line = at;
	return true;
}

int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t take_bytes(const char **text, uint8_t *bytes, size_t most)
{
	size_t count = 0;
	for (; count < most && hex_digit((*text)[0]) >= 0 && hex_digit((*text)[1]) >= 0; *text += 2)
		bytes[count++] = (uint8_t)(hex_digit((*text)[0]) << 4 | hex_digit((*text)[1]));
	return count;
}

char *digits_of(const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *text = allocate(size * 2 + 1);
	for (size_t i = 0; i < size; i++) {
		text[i * 2] = digits[bytes[i] >> 4];
		text[i * 2 + 1] = digits[bytes[i] & 15];
	}
	text[size * 2] = 0;
	return text;
}
