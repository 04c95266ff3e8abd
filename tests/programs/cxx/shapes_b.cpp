// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "shapes.h"
static struct Before { Before() { printf("before %lu\n", fibonacci(10)); } } before;

long fail(long n, int depth) {
  Guard guard(depth);
  if (depth)
    return fail(n, depth - 1) + fibonacci(3);
  switch (n % 6) {
  case 0: throw n;
  case 1: throw Problem(n);
  case 2: throw Hard(n);
  case 3: throw "text";
  default: return n;
  }
}

long other_work(long n) {
  List<double> list;
  for (int i = 0; i < 10; ++i)
    list.add(i * 0.5 + n);
  Square square(n);
  const Shape &shape = square;
  return static_cast<long>(total(list, [](double d) { return d; }) + shape.area()) + made() + (shape.name()[0] == 'n') +
         static_cast<long>(interpreted(n));
}
