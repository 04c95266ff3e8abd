/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A function of the program whose beginning is replaced; `size` bytes of it run elsewhere instead. */
#ifndef SELF_DETOUR_H
#define SELF_DETOUR_H

struct detour {
	const char *name;
	int size;
};

#endif
