/* For a debugger: a recursion whose frames have arguments, a local in memory, and one that may be in a register. If it is
 * told to, its innermost call waits for a file. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct point { double x, y; };

__attribute__((noinline)) static void innermost(int wait) {
  puts("here");
  fflush(stdout);
  while (wait && access("go", F_OK)) usleep(50000);
}

__attribute__((noinline)) static long depth_sum(int depth, long weight, struct point *p) {
  long mine = weight * depth + (long)p->x;
  char label[16];
  snprintf(label, sizeof label, "d%d", depth);
  if (depth == 0) {
    innermost(weight > 100);
    return mine;
  }
  p->x += 1.5;
  long below = depth_sum(depth - 1, weight + 1, p);
  return mine + below + label[1] + weight;
}

int main(int argc, char **argv) {
  struct point p = {1, 2};
  long total = depth_sum(3, argc > 1 ? atol(argv[1]) : 3, &p);
  printf("%ld %g\n", total, p.x);
  return 0;
}
