/*
 * Floating-point state and special values: rounding modes and exception flags that stay set over long loops, NaNs
 * with payloads, infinities, signed zeros, subnormals, and conversions. Usage: floats [rounds]
 *
 * Operands and results go through volatile variables: compilers may otherwise move or fold arithmetic across
 * fesetround. Left out, because ISAs differ: the sign of a NaN that an operation makes, and underflow of results next
 * to the smallest normal number (x86_64 looks for tininess after rounding, aarch64 before).
 */
#include <fenv.h>
#include <math.h>

#include "program.h"

static volatile double one = 1.0, three = 3.0, ten = 10.0, zero = 0.0, huge = 0x1p1023, tiny = 0x1p-1000;
static volatile float single_one = 1.0f, single_three = 3.0f;

static NOINLINE double divide(volatile double *a, volatile double *b) {
  volatile double result = *a / *b;
  return result;
}

static NOINLINE double add(volatile double *a, double b) {
  volatile double other = b, result = *a + other;
  return result;
}

static NOINLINE float divide_single(volatile float *a, volatile float *b) {
  volatile float result = *a / *b;
  return result;
}

static uint64_t bits(double value) {
  uint64_t word;
  memcpy(&word, &value, sizeof word);
  return word;
}

/* Sums 1/3 and 0.1 a number of times under one rounding mode: the results say which mode was really in force. */
static NOINLINE uint64_t in_mode(int mode, unsigned turns) {
  CHECK(fesetround(mode) == 0);
  double sum = 0.0;
  volatile double single = 0.0;
  for (unsigned i = 0; i < turns; i++) {
    sum = add(&zero, sum + divide(&one, &three));
    sum = add(&zero, sum + divide(&one, &ten));
    single = single + divide_single(&single_one, &single_three);
    CHECK(fegetround() == mode);
  }
  volatile double rounded = rint(add(&zero, 2.5)), negative = nearbyint(add(&zero, -2.5));
  volatile long converted = lrint(add(&zero, 3.5));
  CHECK(fesetround(FE_TONEAREST) == 0);
  uint64_t checksum = mix_double(mix_double(0, sum), single);
  return mix(mix_double(mix_double(checksum, rounded), negative), (uint64_t)converted);
}

static NOINLINE uint64_t modes(uint64_t sum, unsigned turns) {
  static const int all[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  uint64_t results[4];
  for (int i = 0; i < 4; i++) {
    results[i] = in_mode(all[i], turns);
    sum = mix(sum, results[i]);
  }
  CHECK(results[0] != results[1] && results[1] != results[2] && results[0] != results[2]);
  return sum;
}

/* A third by each mode: upwards and downwards differ by one unit in the last place. */
static NOINLINE uint64_t neighbours(void) {
  fesetround(FE_UPWARD);
  double up = divide(&one, &three);
  fesetround(FE_DOWNWARD);
  double down = divide(&one, &three);
  fesetround(FE_TONEAREST);
  CHECK(bits(up) == bits(down) + 1);
  return mix_double(mix_double(0, up), down);
}

/* One exception is raised by arithmetic; the flag must still be there, and no other, after many calls. */
static NOINLINE uint64_t flag_after(int expected, volatile double *a, volatile double *b, unsigned turns) {
  feclearexcept(FE_ALL_EXCEPT);
  double result = divide(a, b);
  uint64_t sum = 0;
  for (unsigned i = 0; i < turns; i++)
    sum = mix(sum, i);
  int raised = fetestexcept(FE_ALL_EXCEPT);
  CHECK(raised == expected);
  feclearexcept(FE_ALL_EXCEPT);
  CHECK(fetestexcept(FE_ALL_EXCEPT) == 0);
  return mix_double(sum, result);
}

static NOINLINE uint64_t flags(uint64_t sum, unsigned turns) {
  sum = mix(sum, flag_after(0, &ten, &one, turns));
  sum = mix(sum, flag_after(FE_INEXACT, &one, &three, turns));
  sum = mix(sum, flag_after(FE_DIVBYZERO, &one, &zero, turns));
  sum = mix(sum, flag_after(FE_INVALID, &zero, &zero, turns));
  sum = mix(sum, flag_after(FE_OVERFLOW | FE_INEXACT, &huge, &tiny, turns));
  return mix(sum, flag_after(FE_UNDERFLOW | FE_INEXACT, &tiny, &huge, turns));
}

/* An environment saved, changed in callees, held, and restored. */
static NOINLINE uint64_t environments(unsigned depth, uint64_t sum) {
  fenv_t saved;
  CHECK(feholdexcept(&saved) == 0);
  CHECK(fesetround(depth % 2 != 0 ? FE_UPWARD : FE_DOWNWARD) == 0);
  sum = mix_double(sum, divide(&one, &three));
  if (depth != 0)
    sum = environments(depth - 1, sum);
  CHECK(fegetround() == (depth % 2 != 0 ? FE_UPWARD : FE_DOWNWARD));
  sum = mix_double(sum, divide(&one, &ten));
  CHECK(fesetenv(&saved) == 0);
  return sum;
}

/* The payload and the sign of a quiet NaN pass through arithmetic with one NaN; comparisons with it are false. */
static NOINLINE uint64_t nans(uint64_t sum) {
  uint64_t word = UINT64_C(0x7ff8000000000000) | (sum & 0xffffffff);
  volatile double nan;
  memcpy((void *)(uintptr_t)&nan, &word, sizeof word);
  double passed = add(&nan, 1.0), divided = divide(&nan, &three);
  CHECK(bits(passed) == word && bits(divided) == word);
  CHECK(passed != passed && !(passed < 1.0) && !(passed >= 1.0) && isnan(divided));
  return mix(sum, bits(divided));
}

static NOINLINE uint64_t specials(uint64_t sum) {
  volatile double negative_zero = -0.0, infinity = INFINITY;
  CHECK(signbit(negative_zero) && negative_zero == zero && !signbit(add(&negative_zero, 0.0)));
  CHECK(isinf(add(&infinity, -1e308)) && divide(&one, &infinity) == 0.0);
  CHECK(isnan(add(&infinity, -infinity)));
  volatile double small = 0x1p-1022;
  unsigned halvings = 0;
  while (small != 0.0) {
    small = small * 0.5;
    sum = mix_double(sum, small);
    halvings++;
  }
  CHECK(halvings == 53);
  return sum;
}

static NOINLINE uint64_t conversions(uint64_t sum) {
  volatile int64_t big = (int64_t)(sum >> 1);
  volatile uint64_t unsigned_big = sum;
  volatile double from_signed = (double)big, from_unsigned = (double)unsigned_big;
  volatile float narrow = (float)from_unsigned;
  volatile int32_t back = (int32_t)(from_signed * 0x1p-40);
  volatile uint32_t unsigned_back = (uint32_t)(from_unsigned * 0x1p-33);
  sum = mix(mix(sum, (uint64_t)back), unsigned_back);
  int exponent;
  double fraction = frexp(from_signed, &exponent);
  CHECK(ldexp(fraction, exponent) == from_signed);
  sum = mix_double(mix(sum, (uint64_t)exponent), fraction);
  sum = mix_double(mix_double(sum, floor(from_signed * 0x1p-50)), ceil(from_signed * -0x1p-50));
  sum = mix_double(mix_double(sum, trunc(from_signed * 0x1p-48)), round(from_signed * 0x1p-52));
  return mix_double(mix_double(sum, (double)narrow), sqrt(from_signed));
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 40000);
  uint64_t sum = opaque(31);
  for (long i = 0; i < rounds; i++) {
    sum = modes(sum, 200);
    sum = mix(sum, neighbours());
    sum = flags(sum, 1000);
    sum = environments(10, sum);
    sum = nans(sum);
    sum = specials(sum);
    for (int j = 0; j < 20; j++)
      sum = conversions(sum);
    progress("floats", i, rounds, sum);
  }
  return finish("floats", sum);
}
