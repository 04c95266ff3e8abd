// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// foreign ROUNDS: exceptions of another language than C++ pass frames of C++ and are caught by `catch (...)`; exceptions pass frames of C
// that have something to clean up (cleanups.c); initialisers of namespace scope, coroutines, and a thousand frames are passed, too.
#include "moments.h"
#include <coroutine>
#include <unwind.h>

#define NOINLINE __attribute__((noinline))

static unsigned long sum = 1;
static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
NOINLINE static unsigned long fibonacci(unsigned long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static bool says = true;  // in the first round
extern "C" void note(const char *what, long value) {
  mix(strlen(what) + value);
  if (says) printf("%s: %ld\n", what, value);
}
extern "C" void moment_of_c(const char *name) { moment(name); }  // each unit would have its own
extern "C" long through_c(long n, long (*call)(long));

struct Guard {
  const char *name;
  long key;
  Guard(const char *name, long key) : name(name), key(key) { mix(key); }
  NOINLINE ~Guard() {
    moment(name);
    note(name, key + fibonacci(key % 9));
  }
};

// ---- another language's -----------------------------------------------------------------------------------------------------------

struct Foreign {
  _Unwind_Exception header;  // aligned to 16
  long value;
};

static void deleted(_Unwind_Reason_Code why, _Unwind_Exception *exception) {
  Foreign *foreign = reinterpret_cast<Foreign *>(exception);
  moment("deleted");
  note(why == _URC_FOREIGN_EXCEPTION_CAUGHT ? "deleted" : "deleted, for no good reason", foreign->value);
  free(foreign);
}

NOINLINE static long raises(long value) {
  Guard guard("in the frame that raises", value);
  Foreign *foreign = static_cast<Foreign *>(aligned_alloc(16, sizeof(Foreign)));
  memset(foreign, 0, sizeof *foreign);
  foreign->header.exception_class = 0x4d4f56454d4f5645;
  foreign->header.exception_cleanup = deleted;
  foreign->value = value;
  moment("before it is raised");
  return _Unwind_RaiseException(&foreign->header);  // only if nobody catches it
}

struct Thrown {
  long value;
  explicit Thrown(long value) : value(value) {}
  virtual ~Thrown() { mix(value); }
};

NOINLINE static long passes(long n) {
  Guard guard("foreign passes", n);
  try {
    return raises(n) + 1;
  } catch (const Thrown &thrown) {
    note("wrong handler", thrown.value);
  } catch (long) {
    note("wrong handler", 0);
  }
  return 0;
}

NOINLINE static void caught(long n) {
  try {
    passes(n);
  } catch (...) {
    moment("foreign caught");
    note("foreign caught", n);
  }
}

NOINLINE static void again(long n) {
  try {
    try {
      Guard guard("first try", n);
      through_c(n, passes);
    } catch (...) {
      Guard guard("second try", n);
      moment("foreign is thrown again");
      throw;
    }
  } catch (...) {
    note("caught again", n);
  }
}

// ---- frames of C ------------------------------------------------------------------------------------------------------------------

NOINLINE static long throws(long n) {
  moment("throws");
  if (n % 2) throw Thrown{n};
  return fibonacci(n % 12);
}

static long twice(long n) {
  Guard guard("between frames of C", n);
  return through_c(n + 1, throws);
}

NOINLINE static void over_c(long n) {
  try {
    note("nothing thrown", through_c(n, twice));
  } catch (const Thrown &thrown) {
    note("over C", thrown.value);
  }
}

// ---- a thousand frames ------------------------------------------------------------------------------------------------------------

NOINLINE static long deep(long depth, long kept) {
  if (!depth) {
    moment("deep down");
    throw Thrown{kept};
  }
  if (depth % 100) return deep(depth - 1, kept + depth) + kept;
  Guard guard(depth == 500 ? "half way up" : "deep", depth);
  return deep(depth - 1, kept + depth) + kept;
}

// ---- a coroutine ------------------------------------------------------------------------------------------------------------------

struct Numbers {
  struct promise_type {
    long value = 0, failed = 0;
    Numbers get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(long v) { value = v; return {}; }
    void return_void() {}
    void unhandled_exception() {  // not out of it: clang 19 would then destroy the coroutine's variables twice
      try {
        throw;
      } catch (const Thrown &thrown) {
        moment("coroutine has failed");
        failed = thrown.value;
      }
    }
  };
  std::coroutine_handle<promise_type> handle;
  Numbers(std::coroutine_handle<promise_type> handle) : handle(handle) {}
  Numbers(const Numbers &) = delete;
  ~Numbers() { handle.destroy(); }
};

static Numbers numbers(long n) {
  Guard whole("end of the coroutine", n);
  double kept = n * 0.25;
  for (long i = 0;; ++i) {
    Guard guard(i == 4 ? "coroutine unwinds" : "in the coroutine", i);
    moment("coroutine");
    if (i == 4) throws(n | 1);
    kept += fibonacci(i);
    co_yield i + static_cast<long>(kept * 4);
  }
}

NOINLINE static void generates(long n) {
  Numbers left = numbers(n);
  left.handle.resume();
  note("generated", left.handle.promise().value);
  try {
    Numbers whole = numbers(n + 1);
    for (;;) {
      whole.handle.resume();
      if (whole.handle.promise().failed) throw Thrown{whole.handle.promise().failed};
      note("generated", whole.handle.promise().value);
    }
  } catch (const Thrown &thrown) {
    note("out of the coroutine", thrown.value);
  }
}  // the other one is destroyed where it has been suspended

// ---- before main ------------------------------------------------------------------------------------------------------------------

struct Early {
  long value;
  NOINLINE explicit Early(long n) {
    Guard guard("destructor before main", n);
    moment("before main");
    try {
      value = through_c(n, throws);
    } catch (const Thrown &thrown) {
      moment("handler before main");
      value = -thrown.value;
    }
  }
  ~Early() {
    moment("behind main");
    printf("behind main: %ld %lx\n", value, sum);
    fflush(stdout);
  }
};
static Early even(10), odd(11);

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 1;
  note("made before main", even.value * 1000 + odd.value);
  for (long i = 0; i < rounds; ++i) {
    caught(i + 3);
    again(i + 4);
    over_c(i + 5);
    over_c(i + 6);
    try {
      deep(1000, i);
    } catch (const Thrown &thrown) {
      moment("out of the depth");
      note("out of the depth", thrown.value);
    }
    generates(i + 7);
    says = false;
  }
  printf("sum %lx\n", sum);
}
