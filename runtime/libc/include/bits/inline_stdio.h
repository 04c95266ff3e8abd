/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Characters of streams without locks, in line: stdio.h includes this at its end. Calls that are not put in line are the library's. */
#ifndef _TRANSPROC_INLINE_STDIO_H
#define _TRANSPROC_INLINE_STDIO_H

/* The beginning of musl's struct _IO_FILE (stdio_impl.h checks it). */
struct __stream {
	unsigned __flags;
	unsigned char *__next_in, *__end_in;
	void *__close;
	unsigned char *__end_out, *__next_out;
	void *__base[2], *__calls[3], *__buffer;
	__SIZE_TYPE__ __buffer_size;
	void *__list[2];
	int __fd, __pid;
	long __locks;
	int __mode;
	volatile int __lock;
	int __line_end;
} __attribute__((__may_alias__));

#if defined(__OPTIMIZE__) && !defined(__NO_INLINE__) && !defined(_STDIO_IMPL_H) && (defined(_POSIX_SOURCE) || defined(_POSIX_C_SOURCE) \
	|| defined(_XOPEN_SOURCE) || defined(_GNU_SOURCE) || defined(_BSD_SOURCE))

#ifdef __cplusplus
extern "C" {
#endif

int __overflow(FILE *, int);
int __uflow(FILE *);

#define __IN_LINE extern __inline __attribute__((__gnu_inline__))

__IN_LINE int getc_unlocked(FILE *__f)
{
	struct __stream *__s = (struct __stream *)__f;
	return __s->__next_in != __s->__end_in ? *__s->__next_in++ : __uflow(__f);
}

__IN_LINE int putc_unlocked(int __c, FILE *__f)
{
	struct __stream *__s = (struct __stream *)__f;
	unsigned char __byte = (unsigned char)__c;
	return __byte != __s->__line_end && __s->__next_out != __s->__end_out ? *__s->__next_out++ = __byte : __overflow(__f, __byte);
}

__IN_LINE int getchar_unlocked(void)
{
	return getc_unlocked(stdin);
}

__IN_LINE int putchar_unlocked(int __c)
{
	return putc_unlocked(__c, stdout);
}

#if defined(_GNU_SOURCE) || defined(_BSD_SOURCE)
__IN_LINE int fgetc_unlocked(FILE *__f)
{
	return getc_unlocked(__f);
}

__IN_LINE int fputc_unlocked(int __c, FILE *__f)
{
	return putc_unlocked(__c, __f);
}
#endif

#undef __IN_LINE

#ifdef __cplusplus
}
#endif

#endif
#endif
