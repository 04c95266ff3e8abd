/*
 * What the NAS Parallel Benchmark kernels share: the pseudo-random numbers, problem classes and the report.
 *
 * Written from the published specification: Bailey et al., "The NAS Parallel Benchmarks", RNR-94-007, March 1994, and
 * the NPB 2 and 3 reports (NAS-95-020, NAS-99-011), which give classes S and W and the values for verification.
 */
#ifndef NPB_H
#define NPB_H

#include <math.h>

#include "../program.h"

/* 5^13, the multiplier of every kernel (RNR-94-007, section 2.3). */
#define NPB_MULTIPLIER 1220703125.0
/* The seed of every kernel but EP. */
#define NPB_SEED 314159265.0

/*
 * The next of x' = a x mod 2^46, returned as x' / 2^46 in (0, 1). The product of two 46-bit numbers is formed exactly
 * from 23-bit halves, in double precision alone, as section 2.3 describes: every machine gets the same numbers.
 */
static inline double randlc(double *x, double a) {
  const double r23 = 0x1p-23, t23 = 0x1p23, r46 = 0x1p-46, t46 = 0x1p46;
  double a1 = (double)(int64_t)(r23 * a), a2 = a - t23 * a1;
  double x1 = (double)(int64_t)(r23 * *x), x2 = *x - t23 * x1;
  double t1 = a1 * x2 + a2 * x1;
  double z = t1 - t23 * (double)(int64_t)(r23 * t1);
  double t3 = t23 * z + a2 * x2;
  *x = t3 - t46 * (double)(int64_t)(r46 * t3);
  return r46 * *x;
}

/* Index of the class in a kernel's table: S, W, A. Exits with status 2 for anything else. */
static inline int npb_class(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "S";
  const char *known = "SWA", *found = strchr(known, name[0]);
  if (found == NULL || name[0] == '\0' || name[1] != '\0') {
    fprintf(stderr, "%s: class '%s' is not one of S, W, A\n", argv[0], name);
    exit(2);
  }
  return (int)(found - known);
}

/* True where the relative error is within the tolerance; prints both values. */
static inline bool npb_close(const char *what, double value, double expected, double tolerance) {
  double error = fabs((value - expected) / expected);
  printf("  %-10s %.13e expected %.13e %s\n", what, value, expected, error <= tolerance ? "ok" : "WRONG");
  return error <= tolerance;
}

/* Prints the verdict and returns the exit status for main. */
static inline int npb_verdict(const char *kernel, int class_index, bool good) {
  printf("%s class %c: VERIFICATION %s\n", kernel, "SWA"[class_index], good ? "SUCCESSFUL" : "FAILED");
  return fflush(stdout) == 0 && good ? 0 : 1;
}

#endif
