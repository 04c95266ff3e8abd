/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* processors: how many threads there are, and processors by the kernel, before and after a move. */
#define _GNU_SOURCE
#include "../cxx/moments.h"
#include <omp.h>
#include <sched.h>

static void tell(const char *when)
{
	int threads = 0;
	unsigned ids = 0;
#pragma omp parallel reduction(+ : threads) reduction(| : ids)
	{
		threads = omp_get_thread_num() ? 0 : omp_get_num_threads();
		ids = omp_get_thread_num() < 32 ? 1u << omp_get_thread_num() : 0;
	}
	cpu_set_t set;
	sched_getaffinity(0, sizeof set, &set);
	printf("%s: %d threads (%#x), at most %d, %d processors\n", when, threads, ids, omp_get_max_threads(), CPU_COUNT(&set));
}

int main(void)
{
	tell("first");
	moment("to fewer");
	tell("then");
}
