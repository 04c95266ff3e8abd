/* Loops whose bound belongs to the run: up and down, signed and unsigned, short and long, with another way out. One steps over the last
   number of its type, and begins anew. */
#include <limits.h>
#include <stdio.h>
#define APART __attribute__((noinline))

static unsigned char marks[256];
static volatile unsigned turns;

APART static long up(unsigned long from, unsigned long to) {
  for (unsigned long i = from; i <= to; i++) {
    turns = turns + 1;
    if (marks[i & 255]) return (long)i;
  }
  return -1;
}

APART static long down(long from, long to) {
  for (long i = from; i >= to; i -= 3) {
    turns = turns + 1;
    if (marks[i & 255]) return i;
  }
  return -2;
}

APART static long around(unsigned from, unsigned to) {
  for (unsigned i = from; i <= to; i++) {
    turns = turns + 1;
    if (marks[i & 255]) return i;
  }
  return -3;
}

APART static long pointers(const unsigned char *from, const unsigned char *to) {
  for (; from <= to; from++) {
    turns = turns + 1;
    if (*from) return from - marks;
  }
  return -4;
}

int main(void) {
  unsigned long sum = 0;
  for (unsigned round = 0; round < 2000; round++) {
    unsigned at = round * 37 & 255;
    marks[at] = 1;
    sum = sum * 31 + up(round, round + round % 9);
    sum = sum * 31 + up(0, 300);
    sum = sum * 31 + down(200, 190 - (long)round);
    sum = sum * 31 + down(5, 6);
    sum = sum * 31 + around(UINT_MAX - 5, UINT_MAX);
    sum = sum * 31 + around(UINT_MAX - 5, UINT_MAX - 2);
    sum = sum * 31 + pointers(marks + round, marks + 255);
    marks[at] = 0;
  }
  printf("%lu %u\n", sum, turns);
  return 0;
}
