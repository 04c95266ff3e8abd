/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// musl's, which looks through the format once before it prints: for arguments that are named by number, and so that nothing is printed if the
// first conversion is none. Here not, if that conversion is one of the plain ones, which most are.
#include "stdio_impl.h"
#include <string.h>

static inline size_t put(const unsigned char *text, size_t length, FILE *f)
{
	if (f->lbf >= 0 || !f->wend || length > (size_t)(f->wend - f->wpos))
		return __fwritex(text, length, f);
	memcpy(f->wpos, text, length);
	f->wpos += length;
	return length;
}

#define vfprintf __transproc_vfprintf_of_any
#define __fwritex put
#include <../stdio/vfprintf.c>
#undef __fwritex
#undef vfprintf

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

int vfprintf(FILE *restrict f, const char *restrict format, va_list arguments)
{
	if (!begins_plainly(format))
		return __transproc_vfprintf_of_any(f, format, arguments);
	va_list list;
	int types[NL_ARGMAX + 1], result;
	union arg numbered[NL_ARGMAX + 1];
	unsigned char own[80], *buffer = 0;
	va_copy(list, arguments);
	FLOCK(f);
	int error = f->flags & F_ERR;
	f->flags &= ~F_ERR;
	if (!f->buf_size) {
		buffer = f->buf;
		f->buf = own;
		f->buf_size = sizeof own;
		f->wpos = f->wbase = f->wend = 0;
	}
	if (!f->wend && __towrite(f))
		result = -1;
	else
		result = printf_core(f, format, &list, numbered, types);
	if (buffer) {
		f->write(f, 0, 0);
		if (!f->wpos)
			result = -1;
		f->buf = buffer;
		f->buf_size = 0;
		f->wpos = f->wbase = f->wend = 0;
	}
	if (ferror(f))
		result = -1;
	f->flags |= error;
	FUNLOCK(f);
	va_end(list);
	return result;
}
