/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// musl's, with short texts put into the buffer in line, and a way for vsnprintf, whose stream is its own.
#include "stdio_impl.h"
#include <string.h>
#include "print.h"

static inline size_t put(const unsigned char *text, size_t length, FILE *f)
{
	if (f->lbf >= 0 || !f->wend || length > (size_t)(f->wend - f->wpos))
		return __fwritex(text, length, f);
	memcpy(f->wpos, text, length);
	f->wpos += length;
	return length;
}

#define __fwritex put
#include <../stdio/vfprintf.c>
#undef __fwritex

// Whether printf_core() would find nothing to be done before the arguments are read.
static int begins_plainly(const char *format)
{
	format = __strchrnul(format, '%');
	switch (format[0] ? format[1] : 's') {
	case 's': case 'd': case 'i': case 'u': case 'x': case 'c': case 'p': case 'f': case 'g':
		return 1;
	}
	return 0;
}

int __transproc_print(FILE *f, const char *format, va_list arguments)
{
	if (!begins_plainly(format))
		return vfprintf(f, format, arguments);
	int types[NL_ARGMAX + 1];
	union arg numbered[NL_ARGMAX + 1];
	va_list list;
	va_copy(list, arguments);
	int result = printf_core(f, format, &list, numbered, types);
	va_end(list);
	return result;
}
