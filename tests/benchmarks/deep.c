/* As many frames as its argument says, each with live values, an object and a pointer to the caller's; then it computes until it is ended. */
#include <stdio.h>
#include <stdlib.h>

struct link {
  struct link *outer;
  long value;
};

static volatile long sink;

static __attribute__((noinline)) long spin(struct link *innermost) {
  long sum = 0;
  for (;;)
    for (struct link *at = innermost; at; at = at->outer) {
      sum = sum * 31 + at->value;
      sink = sum;
    }
  return sum;
}

static __attribute__((noinline)) long descend(long depth, struct link *outer) {
  struct link here = {outer, depth};
  long below = depth > 0 ? descend(depth - 1, &here) : spin(&here);
  return below * 31 + here.value + depth;
}

int main(int argc, char **argv) {
  printf("%ld\n", descend(argc > 1 ? atol(argv[1]) : 1000, NULL));
  return 0;
}
