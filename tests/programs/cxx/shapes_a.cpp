// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// shapes ROUNDS: prints what two units with inline functions compute, with exceptions between them.
#include "shapes.h"
struct Loud {
  const char *what;
  explicit Loud(const char *what) : what(what) { printf("made %s\n", what); }
  ~Loud() { printf("gone %s\n", what); }
};
static Loud first("a");
struct Local {
  int value;
  Local() : value(made()) {}
  ~Local() { printf("local %d\n", value); }
};
static thread_local Local local;

NOINLINE static double apply(const Shape &shape, double (Shape::*what)() const) { return (shape.*what)(); }

NOINLINE static long catches(long i) {
  Guard guard(i & 7);
  long e = i * 3, f = i ^ 55;
  double d = i * 0.5;
  try {
    Guard inner(i & 3);
    e += fail(i, static_cast<int>(i % 7));
  } catch (long n) {
    e += n + f + fibonacci(6);
  } catch (const Problem &problem) {
    f += problem.number + fibonacci(5) + e;
    if (i % 5 == 0)
      try {
        throw;
      } catch (Hard &hard) {
        mix(hard.number);
      } catch (...) {
        mix(1);
      }
  } catch (...) {
    d += fibonacci(7) + e;
  }
  return e + f + static_cast<long>(d);
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 20;
  for (long i = 0; i < rounds; ++i) {
    List<Shape *> list;
    for (int k = 0; k < 8; ++k)
      list.add(k % 2 ? static_cast<Shape *>(new Square(i + k)) : new Circle(i - k));
    double areas = total(list, [&](const Shape *shape) { return apply(*shape, &Shape::area) + local.value++; });
    mix(static_cast<unsigned long>(areas));
    mix(total(list, [](Shape *shape) { return dynamic_cast<Scaled *>(shape) ? 3 : 1; }));
    for (int k = 0; k < list.size; ++k)
      delete list.items[k];
    mix(catches(i));
    mix(other_work(i));
    mix(interpreted(i));
  }
  printf("sum %lx, %d\n", sum, made());
}
