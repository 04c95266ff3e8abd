// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// constructs ROUNDS: parts of OpenMP that regions.c and nested.cpp leave out; what it prints does not depend on timing.
#include "../cxx/moments.h"
#include <omp.h>

enum { N = 600, THREADS = 4 };
static unsigned long sum = 1;
static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
__attribute__((noinline)) static long fibonacci(long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

// ---- objects that each thread has -------------------------------------------------------------------------------------------------

static long made;
struct Counted {
  long count, key;
  explicit Counted(long key) : count(fibonacci(6)), key(key) {
#pragma omp atomic
    ++made;
  }
  ~Counted() { key = -1; }
};
extern Counted counted;
#pragma omp threadprivate(counted)
Counted counted(40);
static long copied = 3;
#pragma omp threadprivate(copied)

static void of_threads(long round) {
  long all = 0;
  copied = round;
#pragma omp parallel num_threads(THREADS) copyin(copied) reduction(+ : all)
  {
    counted.count += omp_get_thread_num() + copied;
    if (omp_get_thread_num() == 1) moment("object of a thread");
    all += counted.count * counted.key;
  }
  mix(all);
  printf("threads %ld, made %ld\n", all, made);
}

// ---- reductions -------------------------------------------------------------------------------------------------------------------

struct Span {
  long low = 1 << 30, high = -1, total = 0;
  void join(const Span &other) {
    low = other.low < low ? other.low : low;
    high = other.high > high ? other.high : high;
    total += other.total;
  }
};
#pragma omp declare reduction(join : Span : omp_out.join(omp_in)) initializer(omp_priv = Span())

static void reduced(long round) {
  Span span;
#pragma omp parallel for num_threads(THREADS) schedule(auto) reduction(join : span)
  for (int i = 0; i < N; ++i) {
    long value = (i * 37 + round) % 1009 + fibonacci(3);
    Span one;
    one.low = one.high = one.total = value;
    span.join(one);
    if (i == N / 2) moment("in a reduction");
  }
  long tasks = 0;
#pragma omp parallel num_threads(THREADS) reduction(task, + : tasks)
#pragma omp single
  for (int i = 0; i < 30; ++i)
#pragma omp task in_reduction(+ : tasks) firstprivate(i)
    tasks += fibonacci(i % 9) + i;
  long group = 0;
#pragma omp parallel num_threads(THREADS)
#pragma omp single
#pragma omp taskgroup task_reduction(+ : group)
  for (int i = 0; i < 30; ++i)
#pragma omp task in_reduction(+ : group) firstprivate(i, round)
    {
      group += fibonacci(7) * i + round;
      if (i == 9) moment("in a task");
    }
  mix(span.total + tasks + group);
  printf("reduced %ld %ld %ld, %ld, %ld\n", span.low, span.high, span.total, tasks, group);
}

// ---- iterations that wait for others ------------------------------------------------------------------------------------------------

static long field[40][40];

static void across(long round) {
#pragma omp parallel for num_threads(THREADS) ordered(2) schedule(static, 1)
  for (int i = 1; i < 40; ++i)
    for (int k = 1; k < 40; ++k) {
#pragma omp ordered depend(sink : i - 1, k) depend(sink : i, k - 1)
      field[i][k] = (field[i - 1][k] * 3 + field[i][k - 1] * 5 + i * k + round) % 10007;
      if (i == 20 && k == 20) moment("others wait for this iteration");
#pragma omp ordered depend(source)
    }
  mix(field[39][39]);
  printf("across %ld\n", field[39][39]);
}

// ---- places ------------------------------------------------------------------------------------------------------------------------

static void bound(long round) {
  long all = 0;
#pragma omp parallel num_threads(2) proc_bind(spread) reduction(+ : all)
#pragma omp parallel num_threads(2) proc_bind(close) reduction(+ : all)
  {
    if (omp_get_ancestor_thread_num(1) == 0 && omp_get_thread_num() == 0) moment("bound");
    all += omp_get_num_threads() + round;
  }
#pragma omp parallel num_threads(THREADS) proc_bind(primary) reduction(+ : all)
  all += omp_get_num_threads();
  mix(all);
  printf("bound %ld\n", all);
}

// Threads wait in a barrier for one that has to move first.
static void barrier(long round) {
  long before = 0, behind = 0;
#pragma omp parallel num_threads(THREADS) reduction(+ : behind)
  {
#pragma omp atomic
    ++before;
    if (omp_get_thread_num() == 0) moment("others are in the barrier");
#pragma omp barrier
    behind += before;
  }
  mix(behind + round);
  printf("barrier %ld %ld\n", before, behind);
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 1;
  omp_set_max_active_levels(2);
  omp_set_dynamic(0);
  for (long i = 0; i < rounds; ++i) {
    barrier(i);
    of_threads(i);
    reduced(i);
    across(i);
  }
  for (long i = 0; i < rounds; ++i) bound(i);  // with regions within others, behind which threads may be other ones
  printf("%lx\n", sum);
}
