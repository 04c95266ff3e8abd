// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// main ROUNDS: calls what is written in Fortran.
#include <stdio.h>
#include <stdlib.h>

int primes(signed char *flags, int n);
void smooth(double *field, int n, int rounds, double *total);

int main(int argc, char **argv)
{
	static signed char flags[20000];
	static double field[40 * 40];
	for (int i = 0; i < 40 * 40; i++) field[i] = i % 97 / 96.0;
	for (int round = 1; round <= (argc > 1 ? atoi(argv[1]) : 1); round++) {
		double total;
		smooth(field, 40, 50, &total);
		field[round % (40 * 40)] += total / 1000;
		printf("%d %d %.17g\n", round, primes(flags, 100 * round % 20000), total);
	}
	return 0;
}
