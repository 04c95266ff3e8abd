// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// throws STEP FIRST: does the same work again and again, and throws at another of its calls each time, at every STEPth from FIRST on.
// Where it throws it first waits until the process has moved, and so it does at the next calls after that: in a destructor in the
// middle of unwinding, in a handler, behind it. Says on standard error how often that came true. Where the kernel runs it, and not a
// loader that moves it, these are moments (moments.h): `call`, or `unwinding` while an exception is on its way.
#include "moments.h"
#include <exception>
#include <sched.h>

#define NOINLINE __attribute__((noinline))
enum { MIGRATIONS = 9, AFTER = 3 };

static unsigned long sum = 1;
static int calls, target, waits_left, waits, moved, patience = 300000;  // of all waits
static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
NOINLINE static unsigned long fibonacci(unsigned long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

struct Thrown {
  int at;
  explicit Thrown(int at) : at(at) {}
  virtual ~Thrown() { mix(at); }
};
struct Other { long value; };

NOINLINE static void wait() {
  moment(std::uncaught_exceptions() ? "unwinding" : "call");
  if (!__transproc_args || !patience) return;
  unsigned long before = __transproc_args[MIGRATIONS];
  ++waits;
  for (; patience && __transproc_args[MIGRATIONS] == before; --patience) {
    fibonacci(4);
    sched_yield();
  }
  moved += __transproc_args[MIGRATIONS] != before;
}

// A call of the work. What has been thrown must not be followed by another, out of a destructor.
NOINLINE static void site() {
  int n = ++calls;
  if (n == target) {
    wait();
    waits_left = AFTER;
    if (!std::uncaught_exceptions()) throw Thrown(n);
  } else if (waits_left) {
    --waits_left;
    wait();
  }
  mix(n);
}

struct Guard {
  int key;
  explicit Guard(int key) : key(key) { site(); }
  NOINLINE ~Guard() noexcept(false) { mix(key); site(); }
};

// Catches all that happens in it, also while another exception is on its way.
struct Quiet {
  int key;
  NOINLINE ~Quiet() {
    try {
      mix(key + std::uncaught_exceptions());
      site();
      throw Other{key};
    } catch (const Other &other) {
      mix(other.value);
    } catch (const Thrown &thrown) {
      mix(thrown.at + 1);
    }
  }
};

struct Base {
  Guard first;
  Base() : first(1) { site(); }
  NOINLINE virtual int act(int n) { site(); return n + 1; }
  virtual ~Base() noexcept(false) { mix(2); }
};
struct Middle : virtual Base {
  Guard second{2};
  NOINLINE int act(int n) override { Quiet quiet{n}; site(); return Base::act(n) * 2; }
};
struct Whole : Middle {
  Guard third;
  Whole() try : third(3) { site(); } catch (const Thrown &thrown) { mix(thrown.at); site(); }  // and on it goes
};

template <class T, int N> NOINLINE T nested(T value) {
  Quiet quiet{N};
  if constexpr (N > 0) {
    T inner = nested<T, N - 1>(value + 1);
    site();
    return inner + N;
  } else {
    site();
    return value;
  }
}

static int compare(const void *a, const void *b) {
  Quiet quiet{7};
  site();
  return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

NOINLINE static void translated(int n) {
  try {
    Quiet quiet{n};
    nested<long, 3>(n);
    site();
  } catch (Thrown &thrown) {
    site();
    if (thrown.at % 2) throw;
    throw Other{thrown.at};
  }
}

NOINLINE static void handlers(int n) {
  try {
    translated(n);
    mix(nested<double, 2>(n * 0.5));
  } catch (const Other &other) {
    mix(other.value);
    try { site(); } catch (const Thrown &thrown) { mix(thrown.at + 5); }
  }
}

static void promised(int n) noexcept {
  try { handlers(n); site(); } catch (...) { mix(17); }
}

NOINLINE static unsigned long once() {
  static unsigned long made = [] { site(); return fibonacci(9); }();  // tried again after an exception
  return made;
}

NOINLINE static double work(int n, double x) {
  int numbers[5] = {3, 1, 4, 1, 5};
  double kept = x * 1.5;
  {
    Whole whole;
    Base &base = whole;
    kept += base.act(n);
    kept += (base.*&Base::act)(n + 1);
  }
  Guard *array = new Guard[2]{Guard(4), Guard(5)};
  delete[] array;
  qsort(numbers, 5, sizeof *numbers, compare);
  auto closure = [&](int m) { Quiet quiet{m}; handlers(m); kept += numbers[m % 5]; site(); };
  closure(2);
  promised(n);
  return kept + x + once();
}

static bool runs_by_itself(const char *name) {
  char exe[4096] = {};
  return readlink("/proc/self/exe", exe, sizeof exe - 1) > 0 && !strcmp(exe, name);
}

int main(int argc, char **argv) {
  if (runs_by_itself(argv[0])) patience = 0;
  int step = argc > 1 ? atoi(argv[1]) : 1, throws = 0;
  bool more = true;
  for (target = argc > 2 ? atoi(argv[2]) : 1; more; target += step) {
    calls = 0;
    try {
      double got = work(target % 7, target * 0.25);
      mix(static_cast<unsigned long>(got * 4));
    } catch (const Thrown &thrown) {
      site();
      mix(thrown.at);
    } catch (const Other &other) {
      mix(other.value);
    }
    more = calls >= target;
    throws += more;
    printf("%d %d %lx\n", target, calls, sum);
  }
  dprintf(2, "%d calls threw, %d of %d waits saw a migration\n", throws, moved, waits);
  return 0;
}
