/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls the function of a parallel region with its arguments, which libomp has in assembly for most processors. Clang hands over a pointer for each
 * variable that the region shares with what is around it. */
#include <stdio.h>
#include <stdlib.h>

#define MOST 64

/* All arguments are of one kind, and whoever calls passes as many as the function takes: more are not looked at. The neutral calling convention of
 * variadic calls must not be used, so there are a few types. */
typedef void region_8(int *, int *, void *, void *, void *, void *, void *, void *, void *, void *);
typedef void region_16(int *, int *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *);
typedef void region_64(int *, int *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *);

int __kmp_invoke_microtask(void (*function)(void), int global, int local, int count, void *given[])
{
	void *a[MOST] = { 0 };
	if (count > MOST) {
		fprintf(stderr, "OMP: a parallel region shares more than %d variables\n", MOST);
		abort();
	}
	for (int i = 0; i < count; i++)
		a[i] = given[i];
	if (count <= 8)
		((region_8 *)function)(&global, &local, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
	else if (count <= 16)
		((region_16 *)function)(&global, &local, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]);
	else
		((region_64 *)function)(&global, &local, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21], a[22], a[23], a[24], a[25], a[26], a[27], a[28], a[29], a[30], a[31], a[32], a[33], a[34], a[35], a[36], a[37], a[38], a[39], a[40], a[41], a[42], a[43], a[44], a[45], a[46], a[47], a[48], a[49], a[50], a[51], a[52], a[53], a[54], a[55], a[56], a[57], a[58], a[59], a[60], a[61], a[62], a[63]);
	return 1;
}
