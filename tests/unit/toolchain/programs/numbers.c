/*
 * Numbers: strtod and strtof against musl's own, scanf's against its own without a buffer, fma and fmaf in all rounding modes and where signs
 * and ranges are awkward, by the processor's instruction and without, sinf and cosf against sin and cos. Prints digests of all results, which are the same on every ISA.
 */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "processor.h"

#define COUNT 4000

double __transproc_strtod_of_any(const char *, char **);
float __transproc_strtof_of_any(const char *, char **);
static double (*volatile multiply_add)(double, double, double) = fma;
static float (*volatile multiply_add_float)(float, float, float) = fmaf;
static double (*volatile round_even)(double) = roundeven;
static float (*volatile round_even_float)(float) = roundevenf;
static long double (*volatile round_even_long)(long double) = roundevenl;
static float (*volatile sine)(float) = sinf, (*volatile cosine)(float) = cosf;

static uint64_t state = 88172645463325252u, digest = 14695981039346656037u;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 2685821657736338717u;
}

static unsigned below(unsigned n) { return next_random() % n; }

static void note(uint64_t value) { digest = (digest ^ value) * 1099511628211u, digest ^= digest >> 29; }

static void fail(const char *what, const char *text) {
  printf("%s %s\n", what, text);
  exit(1);
}

static uint64_t bits(double d) {
  uint64_t u;
  memcpy(&u, &d, sizeof u);
  return d != d ? 0x7ff8000000000000 : u;
}

/* Between 2^-spread and 2^spread, every seventh with few bits. */
static double some_number(int spread) {
  uint64_t fraction = next_random() & 0x800fffffffffffff;
  if (!below(7))
    fraction &= ~((UINT64_C(1) << below(52)) - 1);
  uint64_t u = fraction | (uint64_t)(1023 - spread + below(2 * spread + 1)) << 52;
  double d;
  memcpy(&d, &u, sizeof d);
  return d;
}

static const char *const AWKWARD[] = {
    "",        ".",       "-.",     "0x",        "0x1.8p3",  "infinity",   "-inf",       "nan",     "-0",
    "+.5e-3x", "00012.50", "1.e1",  "0e999",     "1e",       "2e+",        "3e-x",       "4e5.6",   "\t\n 7",
    "1..2",    "-1e-400", "1e400",  "1e22",      "1e23",     "9007199254740993", "-9007199254740993e-22",
    "18446744073709551615", "18446744073709551616", "0.000000000000000000000000000001", "1234567890123456789012e-27",
    "9999999999999999999e27", "9999999999999999999e-27", "9999999999999999999e18", "340282356779733661637e18", "0.1e-1000000000000",
};

static void some_text(char *text, size_t size, int i) {
  static const char *const formats[] = {"%.17g", "%.15g", "%g", "%.3f", "%.19g", "%.25g", "%.16e", "%a", " +%.12g"};
  if (i < (int)(sizeof AWKWARD / sizeof *AWKWARD))
    snprintf(text, size, "%s", AWKWARD[i]);
  else if (!below(4))
    snprintf(text, size, "-%u.%llue%d", below(1000), (unsigned long long)(next_random() >> below(60)), (int)below(60) - 30);
  else
    snprintf(text, size, formats[below(9)], some_number(below(3) ? 80 : 1000));
}

/* From a string, and byte by byte, which musl's own reading does: the same numbers, and as much of the text. */
static void scanned(const char *text) {
  char line[140];
  double found = -1, right = -1;
  float single = -1, right_single = -1;
  int used = -1, right_used = -1, length = snprintf(line, sizeof line, "%s,%s ", text, text);
  FILE *slow = fmemopen(line, (size_t)length, "r");
  setvbuf(slow, 0, _IONBF, 0);
  int count = sscanf(line, "%lf,%f%n", &found, &single, &used), right_count = fscanf(slow, "%lf,%f%n", &right, &right_single, &right_used);
  if (count != right_count || bits(found) != bits(right) || bits(single) != bits(right_single) || used != right_used)
    fail("scanf", text);
  if (fclose(slow))
    fail("fclose", text);
}

static void texts(int mode) {
  char text[120], *end, *right_end;
  for (int i = 0; i < COUNT; i++) {
    fesetround(FE_TONEAREST);
    some_text(text, sizeof text, i);
    fesetround(mode);
    double found = strtod(text, &end), right = __transproc_strtod_of_any(text, &right_end);
    if (bits(found) != bits(right) || end != right_end)
      fail("strtod", text);
    float single = strtof(text, &end), right_single = __transproc_strtof_of_any(text, &right_end);
    if (bits(single) != bits(right_single) || end != right_end)
      fail("strtof", text);
    scanned(text);
    note(bits(found));
    note(bits(single));
  }
  fesetround(FE_TONEAREST);
}

static void expect_fma(double x, double y, double z, double right) {
  char text[120];
  snprintf(text, sizeof text, "%a %a %a", x, y, z);
  if (bits(multiply_add(x, y, z)) != bits(right))
    fail("fma", text);
}

/* The processor's result, and that without its instruction: both after the same question, so that the count of moves stays. */
static double both(double x, double y, double z, int single) {
  double found[2];
  uint64_t known = __transproc_processor.fused;
  for (int i = 0; i < 2; i++) {
    found[i] = single ? multiply_add_float(x, y, z) : multiply_add(x, y, z);
    if (!i) {
      known = __transproc_processor.fused;
      forget_abilities();
    }
  }
  __transproc_processor.fused = known;
  if (bits(found[0]) != bits(found[1])) {
    char text[160];
    snprintf(text, sizeof text, "%a %a %a: %a %a", x, y, z, found[0], found[1]);
    fail(single ? "fmaf" : "fma", text);
  }
  return found[0];
}

/* A float; results may lie below the normal ones. */
static float some_float(int spread) {
  uint32_t u = (next_random() & 0x807fffff & -(1u << below(24))) | (uint32_t)(127 - spread + below(2 * spread + 1)) << 23;
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

static void fused_anywhere(int mode) {
  fesetround(mode);
  for (int i = 0; i < 4 * COUNT; i++) {
    int spread = below(2) ? 540 : 60;
    double x = some_number(spread), y = some_number(spread);
    volatile double product = x * y; /* a product whose sign is changed before or behind is rounded in another direction */
    double z = below(2) ? -product : some_number(below(2) ? 1022 : 100);
    note(bits(both(x, y, below(3) ? z : z * (1 + 0x1p-52), 0)));
    float a = some_float(below(2) ? 70 : 30), b = some_float(below(2) ? 70 : 30), c = some_float(below(2) ? 126 : 70);
    volatile float single = a * b;
    note(bits(both(a, b, below(3) ? c : -single, 1)));
  }
  fesetround(FE_TONEAREST);
}

static void expect_fmaf(float x, float y, float z, float right) {
  char text[120];
  snprintf(text, sizeof text, "%a %a %a", x, y, z);
  if (bits(both(x, y, z, 1)) != bits(right))
    fail("fmaf", text);
}

static void fused(void) {
  expect_fmaf(0x1.000002p0f, 0x1.000002p0f, -0x1.000004p0f, 0x1p-46f);
  expect_fmaf(0x1p-75f, 0x1p-75f, 0x1p-126f, 0x1p-126f); /* in the middle: to the even one */
  expect_fmaf(0x1p-75f, 0x1.000002p-75f, 0x1p-126f, 0x1.000002p-126f); /* and just beyond it */
  expect_fmaf(0x1.fffffep-1f, 0x1p-126f, -0x1p-149f, 0x1.fffff8p-127f);
  expect_fmaf(0x1.00001p-75f, 0x1.ffffep-76f, 0x1.000004p-127f, 0x1.000004p-127f); /* just not in the middle */
  expect_fmaf(0x1p100f, 0x1p100f, -INFINITY, -INFINITY);
  expect_fmaf(0x1p100f, 0x1p100f, 1, INFINITY);
  expect_fmaf(-0.0f, 1, 0, 0);
  expect_fmaf(-0.0f, 1, -0.0f, -0.0f);
  expect_fma(0x1p-600, -0x1p-600, 0, -0.0); /* a product too small for a double has a sign all the same */
  expect_fma(0x1p-600, 0x1p-600, -0.0, 0.0);
  expect_fma(0, -1, 0, 0);
  expect_fma(3, -2, 6, 0);
  expect_fma(0x1.0000000000001p0, 0x1.0000000000001p0, -0x1.0000000000002p0, 0x1p-104);
  expect_fma(0x1.fffffffffffffp1023, 2, -INFINITY, -INFINITY);
  expect_fma(0x1.fffffffffffffp1023, 2, -0x1.fffffffffffffp1023, 0x1.fffffffffffffp1023);
  expect_fma(0x1p-1022, 0x1p-52, 0x1p-1074, 0x1p-1073);
  expect_fma(0x1p0, 0x1p-60, 0x1p0, 0x1p0);
  expect_fma(0x1.8p0, 0x1p-53, 0x1p0, 0x1.0000000000001p0);
  for (int i = 0; i < 4 * COUNT; i++) {
    double x = some_number(below(3) ? 30 : 1000), y = some_number(below(3) ? 30 : 1000), product = x * y;
    double z = below(2) ? product * -(1 + ((int)below(5) - 2) * 0x1p-52) : below(20) ? some_number(below(2) ? 60 : 1000) : 0;
    note(bits(multiply_add(x, y, z)));
  }
}

static void near(float found, double right, const char *what, float x) {
  char text[60];
  snprintf(text, sizeof text, "%a", x);
  float ulp = nextafterf((float)fabs(right), 2) - (float)fabs(right);
  if (isfinite(x) ? fabs(found - right) > 0.56 * ulp : found == found)
    fail(what, text);
}

static void angles(void) {
  for (int i = 0; i < 8 * COUNT; i++) {
    uint32_t any = next_random();
    float x = (float)some_number(below(2) ? 3 : 8);
    if (i & 1)
      memcpy(&x, &any, sizeof x);
    if (x != x || (x && fabsf(x) < 0x1p-126f))
      continue;
    near(sine(x), sin(x), "sinf", x);
    near(cosine(x), cos(x), "cosf", x);
    note(bits(sine(x)));
    note(bits(cosine(x)));
  }
  if (bits(sine(-0.0f)) != bits(-0.0) || sine(0x1p-149f) != 0x1p-149f || cosine(0) != 1)
    fail("sinf", "0");
}

/* Beside rint where the mode is that. */
static void halves(void) {
  for (int i = 0; i < 8 * COUNT; i++) {
    double x = (double)(int64_t)next_random() / (double)(UINT64_C(1) << (32 + below(32)));
    if (i & 1)
      x = (double)(int)x + 0.5;
    float y = (float)x;
    if (bits(round_even(x)) != bits(rint(x)) || bits(round_even_float(y)) != bits(rintf(y)))
      fail("roundeven", "an integer");
    if (bits((double)round_even_long(x)) != bits(rint(x)))
      fail("roundevenl", "an integer");
  }
}

int main(void) {
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (int i = 0; i < 4; i++)
    texts(modes[i]);
  fused();
  for (int i = 0; i < 4; i++)
    fused_anywhere(modes[i]);
  angles();
  halves();
  printf("%016llx done\n", (unsigned long long)digest);
  return 0;
}
