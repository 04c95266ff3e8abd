/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The bottom of the main thread's stack; prepare.c has made that stack. */
#include "libc.h"

int main();
int __libc_start_main(int (*)(), int, char **, void (*)(), void (*)(), void (*)());

hidden void __transproc_main(long *p)
{
	__libc_start_main(main, p[0], (char **)(p + 1), 0, 0, 0);
}
