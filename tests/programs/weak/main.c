/* Weak functions that are replaced by others' of their names, and live on by aliases: usage: main ROUNDS */
#include "weak.h"

#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long step(long n) { return n < 2 ? n : step(n / 2) + 3; }

__attribute__((noinline)) void sink(long *place) { __asm__ volatile("" ::"r"(place) : "memory"); }

long replaced(long n) { return step(n) * 7; }

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1, sum = 0;
	for (long i = 0; i < rounds; i++) {
		sum = sum * 31 + chosen(i);
		sum = sum * 31 + replaced(i);
		sum = sum * 31 + first_chosen(i);
		sum = sum * 31 + first_replaced(i);
		sum = sum * 31 + second_chosen(i);
		sum &= 0xffffffffffff;
	}
	return printf("%ld\n", sum) < 0;
}
