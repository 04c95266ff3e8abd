/*
 * NPB EP, "embarrassingly parallel": pairs of Gaussian deviates by the polar method, counted in square annuli
 * (RNR-94-007, section 2.2.1). Usage: ep [S|W|A]
 */
#include "npb.h"

#define BATCH_LOG 16
#define BATCH (1 << BATCH_LOG)
#define ANNULI 10

static const struct {
  int pairs_log;
  double sum_x, sum_y;
} classes[] = {
    {24, -3.247834652034740e+3, -6.958407078382297e+3},
    {25, -2.863319731645753e+3, -6.320053679109499e+3},
    {28, -4.295875165629892e+3, -1.580732573678431e+4},
};

struct totals {
  double sum_x, sum_y;
  long counts[ANNULI];
};

/* a^n mod 2^46 applied to the seed: where the n-th number of the sequence begins. */
static NOINLINE double jump(double seed, double a, long n) {
  for (; n != 0; n /= 2) {
    if (n % 2 != 0)
      randlc(&seed, a);
    double square = a;
    randlc(&square, a);
    a = square;
  }
  return seed;
}

static NOINLINE void fill(double *numbers, int n, double seed) {
  for (int i = 0; i < n; i++)
    numbers[i] = randlc(&seed, NPB_MULTIPLIER);
}

/* Accepts or rejects one pair. */
static NOINLINE void pair(struct totals *totals, double x, double y) {
  double t = x * x + y * y;
  if (t > 1.0)
    return;
  double scale = sqrt(-2.0 * log(t) / t);
  double gauss_x = x * scale, gauss_y = y * scale;
  totals->counts[(int)fmax(fabs(gauss_x), fabs(gauss_y))]++;
  totals->sum_x += gauss_x;
  totals->sum_y += gauss_y;
}

static NOINLINE void batch(struct totals *totals, long number) {
  static double numbers[2 * BATCH];
  fill(numbers, 2 * BATCH, jump(271828183.0, NPB_MULTIPLIER, 2 * BATCH * number));
  for (int i = 0; i < BATCH; i++)
    pair(totals, 2.0 * numbers[2 * i] - 1.0, 2.0 * numbers[2 * i + 1] - 1.0);
}

int main(int argc, char **argv) {
  int class_index = npb_class(argc, argv);
  long batches = 1L << (classes[class_index].pairs_log - BATCH_LOG), accepted = 0;
  struct totals totals = {0};
  for (long i = 0; i < batches; i++) {
    batch(&totals, i);
    progress("ep", i, batches, mix_double(mix_double(0, totals.sum_x), totals.sum_y));
  }
  for (int i = 0; i < ANNULI; i++) {
    printf("  annulus %d: %ld\n", i, totals.counts[i]);
    accepted += totals.counts[i];
  }
  printf("  pairs      %ld\n", accepted);
  bool good = npb_close("sum x", totals.sum_x, classes[class_index].sum_x, 1e-8);
  good &= npb_close("sum y", totals.sum_y, classes[class_index].sum_y, 1e-8);
  return npb_verdict("EP", class_index, good);
}
