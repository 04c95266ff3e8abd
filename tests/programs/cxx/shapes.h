// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What two units share: inline functions and variables, templates, classes with virtual bases.
#pragma once
#include <cxxabi.h>
#include <new>
#include <stdio.h>
#include <stdlib.h>
#include <typeinfo>

#define NOINLINE __attribute__((noinline))

inline thread_local unsigned long sum = 1;
NOINLINE inline void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
NOINLINE inline unsigned long fibonacci(unsigned long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

// Interpreters: by a switch, and by labels as values; each unit has them, with their tables of labels.
#define CASE(n) case n: value = (value ^ n) * (2 * n + 3); break;
#define EIGHT(n) CASE(n) CASE(n + 1) CASE(n + 2) CASE(n + 3) CASE(n + 4) CASE(n + 5) CASE(n + 6) CASE(n + 7)
NOINLINE inline unsigned long interpret(const unsigned char *code, unsigned long value) {
  for (;;)
    switch (*code++) {
      EIGHT(1) EIGHT(9) EIGHT(17) EIGHT(25) EIGHT(33)
    default: return value;
    }
}
NOINLINE inline unsigned long follow(const unsigned char *code, unsigned long value) {
  static void *const labels[] = {&&end, &&add, &&twice};
  goto *labels[*code++ % 3];
add:
  value += fibonacci(4);
  goto *labels[*code++ % 3];
twice:
  value += value;
  goto *labels[*code++ % 3];
end:
  return value;
}
inline unsigned long interpreted(unsigned long n) {
  unsigned char code[50] = {};
  for (int i = 0; i < 49; ++i)
    code[i] = 1 + (n + i) % 40;
  return interpret(code, n) + follow(code, n);
}

inline int &made() {
  static int count = (mix(fibonacci(9)), 40);
  return count;
}

struct Guard {
  unsigned long key;
  explicit Guard(unsigned long key) : key(key) {}
  NOINLINE ~Guard() { mix(key + fibonacci(key % 8)); }
};

struct Shape {
  Shape() { ++made(); }
  virtual ~Shape() { mix(made()--); }
  virtual double area() const = 0;
  virtual const char *name() const { return "shape"; }
};
struct Named : virtual Shape {
  const char *name() const override { return "named"; }
};
struct Scaled : virtual Shape {
  double scale = 2;
  double scaled(double v) const { return v * scale + fibonacci(6); }
};
struct Square : Named {
  double side;
  explicit Square(double side) : side(side) {}
  double area() const override { return side * side + fibonacci(5); }
};
struct Circle : Named, Scaled {
  double radius;
  explicit Circle(double radius) : radius(radius) {}
  double area() const override { return scaled(3 * radius * radius); }
};

template <class T> struct List {
  T *items = nullptr;
  int size = 0, capacity = 0;
  NOINLINE void add(const T &item) {
    if (size == capacity) {
      capacity = capacity ? 2 * capacity : 4;
      items = static_cast<T *>(realloc(items, capacity * sizeof(T)));
    }
    new (items + size++) T(item);
  }
  ~List() { free(items); }
};

template <class T, class F> NOINLINE inline auto total(const List<T> &list, F value) {
  decltype(value(list.items[0])) result = 0;
  for (int i = 0; i < list.size; ++i)
    result += value(list.items[i]);
  return result;
}

struct Problem {
  long number;
  explicit Problem(long number) : number(number) {}
  virtual ~Problem() { mix(fibonacci(4)); }
};
struct Hard : virtual Problem {
  explicit Hard(long number) : Problem(number) {}
};

// In the second unit.
long fail(long n, int depth);
long other_work(long n);
