// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Exceptions in every kind of frame, with work in destructors and handlers, so that a process is often moved in the middle of unwinding.
//   exceptions ROUNDS             all of it
//   exceptions ROUNDS uncaught    works, then throws what nobody catches: no destructor runs
//   exceptions ROUNDS noexcept    works, then throws out of a noexcept function
// Moments (moments.h) are at all places that matter.
#include "moments.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#define NOINLINE __attribute__((noinline))

static thread_local unsigned long sum = 1;
static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
NOINLINE static unsigned long fibonacci(unsigned long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

// Its destructor takes its time, and may itself throw and catch.
struct Guard {
  unsigned long key;
  explicit Guard(unsigned long key) : key(key) {}
  NOINLINE ~Guard() {
    mix(key + fibonacci(key % 8));
    mix(std::uncaught_exceptions());
    if (std::uncaught_exceptions()) moment("unwinding");
    if (key % 11 == 3)
      try {
        throw key;
      } catch (unsigned long k) {
        mix(k + fibonacci(6));
        moment(std::uncaught_exceptions() ? "handler in unwinding" : "handler in destructor");
      }
  }
};

struct Base {
  int base = 1;
  virtual ~Base() { mix(fibonacci(5)); }
};
struct Left : virtual Base { int left = 2; };
struct Right : virtual Base { int right = 3; };
struct Both : Left, Right { int both = 4; };
struct Wide {
  double values[16];
  explicit Wide(double first) {
    for (int i = 0; i < 16; ++i) values[i] = first * i;
    moment("being made");  // there is an exception, and it is not thrown yet
  }
  Wide(const Wide &other) { memcpy(values, other.values, sizeof values); mix(fibonacci(4)); moment("copied"); }
};

NOINLINE static long thrower(long n) {
  Guard guard(n & 15);
  switch (n % 8) {
  case 0: throw n;
  case 1: throw Both();
  case 2: throw Wide(n * 0.5);
  case 3: throw std::runtime_error("number " + std::to_string(n));
  case 4: throw Left();
  default: return n * 2;
  }
}

NOINLINE static double handlers(long a, long b, double x) {
  long e = a * b, f = b ^ 77, g = a + 3;
  double u = x * 1.5, r = 0;
  for (long i = 0; i < 16; ++i) {
    Guard outer(i);
    try {
      Guard inner(i * 10);
      r += thrower(i + a) + e;
      e += f & 15;
    } catch (long n) {
      r += n + (e & 255) + g + u;
      g ^= n + fibonacci(7);
      moment("handler");
    } catch (Base &caught) {
      moment("by base");
      r += caught.base + (f & 7) + g;
      mix(dynamic_cast<Both *>(&caught) ? static_cast<Both &>(dynamic_cast<Both &>(caught)).both : 9);
    } catch (Wide wide) {
      r += wide.values[15] - u;
      u += fibonacci(6);
    } catch (const std::exception &error) {
      mix(strlen(error.what()) + fibonacci(5));
    }
    f += i;
  }
  return r + (e & 1023) + f + g + u;
}

// To be caught far out, through frames with and without landing pads.
NOINLINE static unsigned long deep(int depth, int catches) {
  if (!depth) {
    moment("before the throw");
    throw std::logic_error("bottom");
  }
  if (depth % 3) {
    unsigned long below = deep(depth - 1, catches);
    return below + fibonacci(3);
  }
  Guard guard(depth);
  if (depth == catches)
    try {
      return deep(depth - 1, catches) + 1;
    } catch (const std::logic_error &) {
      mix(depth + fibonacci(8));
      moment(depth % 2 ? "before it is thrown again" : "before another is thrown");
      if (depth % 2)
        throw;
      throw std::string("from " + std::to_string(depth));
    }
  return deep(depth - 1, catches) + 2;
}

struct Member {
  Guard guard;
  long value;
  Member(long n) try : guard(n & 7), value(thrower(n)) {
    mix(value);
  } catch (long caught) {
    mix(caught + fibonacci(6));
    moment("constructor");
    throw std::to_string(caught);
  }
};

static int comparisons;
static int compare(const void *a, const void *b) {
  Guard guard(2);
  if (++comparisons % 50 == 49) {
    moment("callback");
    throw comparisons;
  }
  return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

static void sort() {
  int numbers[64];
  for (int i = 0; i < 64; ++i)
    numbers[i] = i * 37 % 64;
  try {
    qsort(numbers, 64, sizeof *numbers, compare);
    mix(numbers[5]);
  } catch (int n) {
    mix(n);
  }
}

struct Local {
  unsigned long n = 5;
  ~Local() { mix(n + fibonacci(9)); printf("thread %lx\n", sum); }
};
static thread_local Local local;

static std::exception_ptr across(int n) {
  std::exception_ptr found;
  std::thread thread([&] {
    sum = n;
    local.n += n;
    try {
      Guard guard(n);
      deep(30 + n, 0);
    } catch (...) {
      mix(fibonacci(9));
      moment("thread");
      found = std::current_exception();
    }
  });
  thread.join();
  return found;
}

static void round(long i) {
  Guard guard(i & 7);
  mix(static_cast<unsigned long>(handlers(i, i + 3, i * 0.25)));
  try {
    deep(60 + i % 9, i % 60);
  } catch (const std::string &text) {
    mix(text.size() + fibonacci(7));
  } catch (const std::logic_error &error) {
    mix(strlen(error.what()));
  }
  try {
    Member member(i);
  } catch (const std::string &text) {
    mix(text.size());
  } catch (...) {
    mix(3 + fibonacci(5));
    try {
      throw;
    } catch (Base &) {
      mix(4 + fibonacci(5));
    } catch (...) {
      mix(5);
    }
  }
  sort();
  try {
    try {
      throw i;
    } catch (...) {
      moment("before it is nested");
      std::throw_with_nested(std::runtime_error("nested"));
    }
  } catch (const std::exception &error) {
    mix(fibonacci(7));
    moment("nested");
    try {
      std::rethrow_if_nested(error);
    } catch (long n) {
      mix(n);
    }
  }
}

NOINLINE static void quiet(long n) noexcept { Guard guard(n); thrower(n * 8); }

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 20;
  const char *end = argc > 2 ? argv[2] : "";
  for (long i = 0; i < rounds; ++i)
    round(i);
  printf("sum %lx\n", sum);
  for (int i = 0; i < 3; ++i)
    try {
      std::exception_ptr kept = across(i);
      moment("kept");
      std::rethrow_exception(kept);
    } catch (const std::exception &error) {
      printf("across: %s\n", error.what());
    }
  fflush(stdout);
  std::set_terminate([] {
    mix(fibonacci(20));
    moment("terminate");
    printf("terminate %lx\n", sum);
    fflush(stdout);
    _Exit(3);
  });
  moment("end");
  if (!strcmp(end, "uncaught"))
    deep(100, 0);
  if (!strcmp(end, "noexcept"))
    quiet(3);
  printf("end %lx\n", sum);
}
