/* setjmp in functions that have no sites: they keep a plain call, and longjmp comes back to them by the registers. */
#include <setjmp.h>
#include <stdio.h>

static volatile unsigned sum;

__attribute__((noinline)) static int plain(int n) {
  jmp_buf place;
  volatile int tries = 0;
  if (setjmp(place) < n && tries++ < n) longjmp(place, tries);
  return tries;
}

__attribute__((noinline)) static int with_mask(int n) {
  sigjmp_buf place;
  volatile int tries = 0;
  int code = sigsetjmp(place, n & 1);
  if (code < n && tries++ < n) siglongjmp(place, code + 1);
  return tries;
}

__attribute__((noinline)) static int both(int n, int depth) {
  int below = depth ? both(n + 1, depth - 1) : 0;
  return below + plain(n) * 3 + with_mask(n);
}

int main(void) {
  for (int i = 0; i < 20; i++) {
    sum = sum * 31 + (unsigned)both(i % 5, i % 4);
    printf("%d %u\n", i, sum);
  }
  return 0;
}
