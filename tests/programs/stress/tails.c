/* Calls at the end of functions, which are jumps: while the callee runs, the frame of the caller is gone, on both ISAs. */
#include <stdio.h>
#define APART __attribute__((noinline))

typedef unsigned long word;
typedef word step(word n, word sum);

static word even(word n, word sum);
static volatile unsigned seen;
static volatile word limit = 37;

APART static word loop(word n, word sum) {
  for (word i = 0, count = n % limit; i < count; i++) {
    sum = sum * 31 + i;
    seen = seen + (unsigned)sum;
  }
  return sum;
}

/* Millions deep: as calls they would take more stack than there is. */
APART static word odd(word n, word sum) {
  return n == 0 ? sum : even(n - 1, sum * 3 + 1);
}

APART static word even(word n, word sum) {
  if (n == 0) return sum;
  if (n % 1000 == 0) {
    seen = seen + (unsigned)sum;
    sum += loop(n, sum); /* a call that returns here, with n and sum live */
  }
  return odd(n - 1, sum ^ n);
}

static step *volatile const steps[] = {even, odd, loop};

/* Some registers are saved at one way out and not at another. */
APART static word choose(word n, word sum) {
  switch (n % 4) {
  case 0: return loop(n + 1, sum);
  case 1: return steps[n % 3](n % 100, sum + 1);
  case 2: return steps[2](n, steps[0](n % 50, sum)) + n;
  default: sum += loop(n, sum); return steps[1](n % 10, sum);
  }
}

/* Nothing but a jump, of functions with and without a result, and more arguments than were passed. */
APART static double scaled(double x, word n) { return x + (double)loop(n, n); }
APART static double pass(word n, double x) { return scaled(x * 0.5, n + 1); }
APART static void ignored(word n) { choose(n, n); }
APART static word through(word sum, word n) { return choose(n, sum); }

int main(void) {
  word sum = 1;
  double x = 1;
  for (word i = 0; i < 300; i++) {
    sum = through(sum, i);
    ignored(i);
    x = pass(i, x);
    if (i % 100 == 7) sum = even(i * 1000 + sum % 1000, sum);
  }
  printf("%lu %.17g %u\n", sum, x, seen);
  printf("%lu\n", even(3000001, 1) + odd(1000000, 2));
  printf("%u\n", seen);
  return 0;
}
