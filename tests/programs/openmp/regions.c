/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* regions ROUNDS: what OpenMP offers, with results that do not depend on the number of threads or their timing. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 4000 };
static unsigned long sum = 1;
static double a[N], b[N];
static long counters[8];
static int private_count;
#pragma omp threadprivate(private_count)

static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }

static long fibonacci(int n)
{
	long x, y;
	if (n < 2) return n;
	if (n < 10) return fibonacci(n - 1) + fibonacci(n - 2);
#pragma omp task shared(x)
	x = fibonacci(n - 1);
#pragma omp task shared(y)
	y = fibonacci(n - 2);
#pragma omp taskwait
	return x + y;
}

static void loops(long round)
{
	double total = 0;
	long hits = 0;
#pragma omp parallel for schedule(static)
	for (int i = 0; i < N; i++) a[i] = (i * round) % 97;
#pragma omp parallel for schedule(dynamic, 7) reduction(+ : total)
	for (int i = 0; i < N; i++) total += a[i] * 2;
#pragma omp parallel for schedule(guided) reduction(max : hits)
	for (int i = 0; i < N; i++) hits = a[i] > hits ? (long)a[i] : hits;
#pragma omp parallel for simd schedule(runtime)
	for (int i = 0; i < N; i++) b[i] = a[i] * 0.5 + i;
#pragma omp parallel for ordered schedule(dynamic)
	for (int i = 0; i < 40; i++) {
		long v = (long)b[i * 3];
#pragma omp ordered
		mix(v + i);
	}
#pragma omp parallel for collapse(2) reduction(+ : total)
	for (int i = 0; i < 50; i++)
		for (int k = 0; k < 40; k++) total += i ^ k;
	mix((unsigned long)total + hits);
}

static void regions(long round)
{
	long in = 0, atomic = 0, singles = 0, sections = 0;
	double numbers = 0;
	omp_lock_t lock;
	omp_init_lock(&lock);
#pragma omp parallel num_threads(4)
	{
		int me = omp_get_thread_num();
		private_count += me;
		counters[me] += me + round;
#pragma omp critical
		in += me;
#pragma omp atomic
		atomic += me + 1;
#pragma omp atomic
		numbers += me * 0.5;
#pragma omp barrier
#pragma omp single
		singles++;
#pragma omp sections reduction(+ : sections)
		{
#pragma omp section
			sections += 3;
#pragma omp section
			sections += 5;
		}
		omp_set_lock(&lock);
		in += omp_get_num_threads();
		omp_unset_lock(&lock);
#pragma omp master
		mix(round);
	}
	omp_destroy_lock(&lock);
	mix(in + 10 * atomic + 100 * singles + 1000 * sections + (long)(numbers * 2));
}

static void tasks(long round)
{
	long result = 0, first = 0, second = 0;
#pragma omp parallel
#pragma omp single
	{
		result = fibonacci(14 + round % 3);
#pragma omp task depend(out : first)
		first = round + 1;
#pragma omp task depend(in : first) depend(out : second)
		second = first * 2;
#pragma omp task depend(in : second)
		result += second;
#pragma omp taskwait
#pragma omp taskloop grainsize(100)
		for (int i = 0; i < N; i++) b[i] += i;
	}
	mix(result + (long)b[N / 3]);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 20;
	for (long i = 0; i < rounds; i++) {
		loops(i);
		regions(i);
		tasks(i);
	}
	long all = 0;
	for (int i = 0; i < 4; i++) all += counters[i];
	printf("sum %lx %ld, %d\n", sum, all, omp_get_max_threads());
}
