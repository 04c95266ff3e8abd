// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// nested ROUNDS (with OMP_CANCELLATION=true): parallel regions within others, cancelled loops, sections and groups of tasks, and
// exceptions that are thrown and caught within a region; what it prints does not depend on timing.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long sum = 1;
static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
__attribute__((noinline)) static long fibonacci(long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

struct Guard {
  long &count;
  ~Guard() {
#pragma omp atomic
    count += fibonacci(3);
  }
};

static void levels(long round) {
  long total = 0, deepest = 0, ancestors = 0;
#pragma omp parallel num_threads(2) reduction(+ : total, ancestors) reduction(max : deepest)
  {
    int outer = omp_get_thread_num();
#pragma omp parallel num_threads(2) reduction(+ : total, ancestors) reduction(max : deepest)
    {
      int middle = omp_get_thread_num();
#pragma omp parallel for num_threads(2) schedule(dynamic) reduction(+ : total, ancestors) reduction(max : deepest)
      for (int i = 0; i < 6; ++i) {
        total += fibonacci(8) + i * round;
        ancestors += omp_get_ancestor_thread_num(1) == outer && omp_get_ancestor_thread_num(2) == middle;
        deepest = omp_get_active_level();
      }
    }
  }
  mix(total + deepest * 1000 + ancestors);
  printf("%ld %ld %ld\n", total, deepest, ancestors);
}

static void cancelled(long round) {
  long found = 0, done = 0;
#pragma omp parallel num_threads(4)
  {
#pragma omp for schedule(static, 3)  // after a dynamic one that was cancelled libomp 19 may hang
    for (int i = 0; i < 3000; ++i) {
#pragma omp cancellation point for
      if (i == 30 + round % 7) {
#pragma omp atomic write
        found = i;
#pragma omp cancel for
      }
      fibonacci(6);
    }
#pragma omp sections
    {
#pragma omp section
      {
#pragma omp cancel sections
        fibonacci(5);
      }
#pragma omp section
      fibonacci(4);
    }
#pragma omp single
#pragma omp taskgroup
    for (int i = 0; i < 20; ++i)
#pragma omp task firstprivate(i)
    {
      fibonacci(5);
#pragma omp cancellation point taskgroup
      if (i == 5) {
#pragma omp atomic
        ++done;
#pragma omp cancel taskgroup
      }
    }
  }
  mix(found);
  printf("%ld %d %ld\n", found, omp_get_cancellation(), done);
}

static void thrown(long round) {
  long guards = 0, caught = 0;
#pragma omp parallel for num_threads(4) schedule(guided) reduction(+ : caught)
  for (int i = 0; i < 200; ++i) {
    try {
      Guard guard{guards};
      if ((i + round) % 3 == 0) throw i + fibonacci(4);
      fibonacci(5);
    } catch (long value) {
      caught += value + fibonacci(5);
    }
  }
  mix(guards + caught);
  printf("%ld %ld\n", guards, caught);
}

int main(int, char **argv) {
  omp_set_max_active_levels(3);
  for (long round = 0, rounds = atol(argv[1]); round < rounds; ++round) {
    levels(round);
    cancelled(round);
    thrown(round);
  }
  printf("%lx\n", sum);
  return 0;
}
