/* What -ffast-math and FP_CONTRACT allow must be decided once, for both ISAs: the runs are compared bit for bit. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#pragma STDC FP_CONTRACT ON
enum { N = 256 };
static float a[N], b[N];
static double d[N], e[N];

__attribute__((noinline)) static void divide(void) {
  for (int i = 0; i < N; i++) {
    b[i] = a[i] / b[i] + 1.0f / sqrtf(a[i] + b[i]);
    e[i] = d[i] / e[i] + d[i] * e[i];
  }
}

__attribute__((noinline)) static double polynomial(double x, double y) { return x * x * 0.3 + y * x - 1.7 * y; }

static uint64_t hash(uint64_t h, const void *data, size_t size) {
  const unsigned char *bytes = data;
  while (size--)
    h = (h ^ *bytes++) * 0x100000001b3;
  return h;
}

int main(void) {
  for (int i = 0; i < N; i++) {
    d[i] = a[i] = 1.0f + (float)i * 0.37f;
    e[i] = b[i] = 2.0f + (float)i * 0.11f;
  }
  divide();
  uint64_t h = hash(hash(0, b, sizeof b), e, sizeof e);
  for (int i = 0; i < N; i++) {
    double p = polynomial(d[i], e[i]);
    h = hash(h, &p, sizeof p);
  }
  printf("%016llx\ndone\n", (unsigned long long)h);
}
