// For a debugger: the recursion of frames.c, by a virtual member function of a template, through handlers of exceptions.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct point { double x, y; };

__attribute__((noinline)) static void innermost(int wait) {
  puts("here");
  fflush(stdout);
  while (wait && access("go", F_OK)) usleep(50000);
}

namespace trees {

template <class T> struct Any {
  virtual T sum(int depth, T weight, point &p) = 0;
  virtual ~Any() {}
};

template <class T> struct Tree : Any<T> {
  T calls = 0;
  __attribute__((noinline)) T sum(int depth, T weight, point &p) override {
    T mine = weight * depth + (T)p.x;
    char label[16];
    snprintf(label, sizeof label, "d%d", depth);
    calls++;
    if (depth == 0) {
      innermost(weight > 100);
      throw mine;
    }
    p.x += 1.5;
    T below;
    try {
      below = static_cast<Any<T> *>(this)->sum(depth - 1, weight + 1, p);
    } catch (T thrown) {
      below = thrown;
    }
    return mine + below + label[1] + weight;
  }
};

} // namespace trees

int main(int argc, char **argv) {
  point p = {1, 2};
  trees::Tree<long> tree;
  long total = tree.sum(3, argc > 1 ? atol(argv[1]) : 3, p);
  printf("%ld %g %ld\n", total, p.x, tree.calls);
  return 0;
}
