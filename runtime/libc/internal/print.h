/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef TRANSPROC_PRINT_H
#define TRANSPROC_PRINT_H

#include <features.h>
#include <stdarg.h>
#include <stdio.h>

// As vfprintf, to a stream that nobody else has, and that has a buffer and may be written to. vfprintf looks through the format once before it
// prints: for arguments that are named by number, and so that nothing is printed if the first conversion is none. Here not, if that conversion
// is one of the plain ones, which most are.
hidden int __transproc_print(FILE *f, const char *format, va_list arguments);

#endif
