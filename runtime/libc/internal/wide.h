/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// What runtime/libc/wide has: the loops of the strings, compiled once more, with vectors of 32 bytes, for processors that have such. It lies
// in the part of a program that every ISA has for itself. (On other ISAs it is never called.)
#ifndef TRANSPROC_WIDE_H
#define TRANSPROC_WIDE_H

#include <stddef.h>

#ifdef TRANSPROC_WIDE // how those files are compiled
#pragma clang section text = ".isa.text"
#define VECTOR 32
#endif
#define WIDE __attribute__((visibility("hidden")))

WIDE size_t __transproc_wide_strlen(const char *string, const unsigned char *at);
WIDE size_t __transproc_wide_strnlen(const char *string, const unsigned char *at, size_t n);
WIDE char *__transproc_wide_strchr(const unsigned char *at, int byte);
WIDE char *__transproc_wide_strchrnul(const unsigned char *at, int byte);
WIDE void *__transproc_wide_memchr(const unsigned char *at, int byte, size_t left);
WIDE int __transproc_wide_strcmp(const unsigned char *a, const unsigned char *b);
WIDE int __transproc_wide_strncmp(const unsigned char *a, const unsigned char *b, size_t n);
WIDE int __transproc_wide_strcasecmp(const unsigned char *a, const unsigned char *b);
WIDE int __transproc_wide_strncasecmp(const unsigned char *a, const unsigned char *b, size_t n);
WIDE int __transproc_wide_memcmp(const unsigned char *a, const unsigned char *b, size_t n);
WIDE void *__transproc_wide_memrchr(const unsigned char *start, int byte, size_t n);
WIDE char *__transproc_wide_strrchr(const char *string, int byte);
WIDE char *__transproc_wide_strcpy(unsigned char *to, const unsigned char *from);
WIDE char *__transproc_wide_stpcpy(unsigned char *to, const unsigned char *from);
WIDE char *__transproc_wide_stpncpy(unsigned char *to, const unsigned char *from, size_t n);

#endif
