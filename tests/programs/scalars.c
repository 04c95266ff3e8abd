/*
 * Scalars of every type, live across calls: one at a time, in pairs of every combination, and all at once in more
 * numbers than there are registers; as arguments and as results. Usage: scalars [rounds]
 */
#include <complex.h>

#include "program.h"

typedef __int128 i128;
typedef unsigned __int128 u128;
typedef double complex c64;
typedef float complex c32;
typedef const unsigned char *pointer;
typedef uint64_t (*function)(uint64_t);
typedef _Bool truth; /* `bool` is a macro and would not join with other tokens */
enum colour { RED = 1, GREEN = 5, BLUE = -7 };
typedef enum colour colour;

static const unsigned char table[256] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

/* Not CMPLX: the C library offers it only to compilers it knows. */
static inline c64 pair64(double re, double im) {
  c64 z;
  __real__ z = re;
  __imag__ z = im;
  return z;
}

static inline c32 pair32(float re, float im) {
  c32 z;
  __real__ z = re;
  __imag__ z = im;
  return z;
}

static NOINLINE uint64_t twice(uint64_t x) { return 2 * x + 1; }
static NOINLINE uint64_t flip(uint64_t x) { return ~x; }
static NOINLINE uint64_t spread(uint64_t x) { return mix_at_site(x, 77); }
static const function functions[] = {twice, flip, spread};

/*
 * For each type T: make_T, a value from 64 bits, any bits of T being reached; and sum_T, all bits of a value in a
 * checksum.
 */
static NOINLINE int8_t make_int8_t(uint64_t x) { return (int8_t)x; }
static NOINLINE uint8_t make_uint8_t(uint64_t x) { return (uint8_t)(x >> 3); }
static NOINLINE int16_t make_int16_t(uint64_t x) { return (int16_t)(x >> 5); }
static NOINLINE uint16_t make_uint16_t(uint64_t x) { return (uint16_t)(x >> 7); }
static NOINLINE int32_t make_int32_t(uint64_t x) { return (int32_t)(x >> 9); }
static NOINLINE uint32_t make_uint32_t(uint64_t x) { return (uint32_t)(x >> 11); }
static NOINLINE int64_t make_int64_t(uint64_t x) { return (int64_t)(x * 3); }
static NOINLINE uint64_t make_uint64_t(uint64_t x) { return x * 5; }
static NOINLINE i128 make_i128(uint64_t x) { return (i128)((u128)(x * 7) << 64 | ~x); }
static NOINLINE u128 make_u128(uint64_t x) { return (u128)x * x + 11; }
static NOINLINE truth make_truth(uint64_t x) { return (x >> 13 & 1) != 0; }
static NOINLINE char make_char(uint64_t x) { return (char)(x >> 15 & 0x7f); }
static NOINLINE colour make_colour(uint64_t x) { return x % 3 == 0 ? RED : x % 3 == 1 ? GREEN : BLUE; }
static NOINLINE float make_float(uint64_t x) { return (float)(int32_t)(x >> 20) * 0.125f; }
static NOINLINE double make_double(uint64_t x) { return (double)(int64_t)x * 0x1p-20; }
static NOINLINE c64 make_c64(uint64_t x) { return pair64((double)(int32_t)x, (double)(int32_t)(x >> 32) * 0.5); }
static NOINLINE c32 make_c32(uint64_t x) { return pair32((float)(int16_t)x, (float)(int16_t)(x >> 16) * 0.25f); }
static NOINLINE pointer make_pointer(uint64_t x) { return table + x % sizeof table; }
static NOINLINE function make_function(uint64_t x) { return functions[x % 3]; }

static uint64_t sum_int8_t(int8_t v) { return (uint64_t)v; }
static uint64_t sum_uint8_t(uint8_t v) { return v; }
static uint64_t sum_int16_t(int16_t v) { return (uint64_t)v; }
static uint64_t sum_uint16_t(uint16_t v) { return v; }
static uint64_t sum_int32_t(int32_t v) { return (uint64_t)v; }
static uint64_t sum_uint32_t(uint32_t v) { return v; }
static uint64_t sum_int64_t(int64_t v) { return (uint64_t)v; }
static uint64_t sum_uint64_t(uint64_t v) { return v; }
static uint64_t sum_i128(i128 v) { return mix((uint64_t)((u128)v >> 64), (uint64_t)v); }
static uint64_t sum_u128(u128 v) { return mix((uint64_t)(v >> 64), (uint64_t)v); }
static uint64_t sum_truth(truth v) { return v ? 19 : 23; }
static uint64_t sum_char(char v) { return (uint64_t)v; }
static uint64_t sum_colour(colour v) { return (uint64_t)(int64_t)v; }
static uint64_t sum_float(float v) { return mix_double(0, (double)v); }
static uint64_t sum_double(double v) { return mix_double(0, v); }
static uint64_t sum_c64(c64 v) { return mix_double(mix_double(0, creal(v)), cimag(v)); }
static uint64_t sum_c32(c32 v) { return mix_double(mix_double(1, (double)crealf(v)), (double)cimagf(v)); }
static uint64_t sum_pointer(pointer v) { return mix((uint64_t)(v - table), *v); }
static uint64_t sum_function(function v) { return v(29); }

#define EACH_TYPE(X) \
  X(int8_t) X(uint8_t) X(int16_t) X(uint16_t) X(int32_t) X(uint32_t) X(int64_t) X(uint64_t) X(i128) X(u128) X(truth) \
  X(char) X(colour) X(float) X(double) X(c64) X(c32) X(pointer) X(function)
#define COUNT(T) +1
enum { TYPES = EACH_TYPE(COUNT) };

/* One value live across a recursive call, and passed down and handed back as argument and result. */
#define ALONE(T) \
  static NOINLINE T alone_##T(T value, unsigned depth, uint64_t *sum) { \
    if (depth == 0) \
      return value; \
    T mine = make_##T(mix(*sum, depth)); \
    T back = alone_##T(value, depth - 1, sum); \
    *sum = mix(mix(*sum, sum_##T(mine)), sum_##T(back)); \
    return depth % 2 != 0 ? mine : back; \
  }
EACH_TYPE(ALONE)

#define RUN_ALONE(T) \
  { \
    T result = alone_##T(make_##T(sum), 9, &sum); \
    sum = mix(sum, sum_##T(result)); \
  }
static NOINLINE uint64_t each_alone(uint64_t sum) {
  EACH_TYPE(RUN_ALONE)
  return sum;
}

/* Every pair of types: a value of T and one of each other type U live across the making of both. */
typedef uint64_t (*pairing)(uint64_t seed);
#define PAIR(T, U) \
  static NOINLINE uint64_t pair_##T##_##U(uint64_t seed) { \
    T first = make_##T(seed); \
    U second = make_##U(mix(seed, 1)); \
    uint64_t between = spread(seed); \
    return mix(mix(between, sum_##T(first)), sum_##U(second)); \
  }
#define PAIRS_WITH(T) \
  PAIR(T, int8_t) PAIR(T, int32_t) PAIR(T, uint64_t) PAIR(T, i128) PAIR(T, truth) PAIR(T, float) PAIR(T, double) \
  PAIR(T, c64) PAIR(T, pointer)
EACH_TYPE(PAIRS_WITH)
#define LIST_PAIRS(T) \
  pair_##T##_int8_t, pair_##T##_int32_t, pair_##T##_uint64_t, pair_##T##_i128, pair_##T##_truth, pair_##T##_float, \
      pair_##T##_double, pair_##T##_c64, pair_##T##_pointer,
static const pairing pairings[] = {EACH_TYPE(LIST_PAIRS)};

static NOINLINE uint64_t all_pairs(uint64_t sum) {
  for (size_t i = 0; i < sizeof pairings / sizeof *pairings; i++)
    sum = mix(sum, pairings[i](mix(sum, i)));
  return sum;
}

/* All types at once, as 19 arguments: some in registers, the others on the stack; all live across the recursive call. */
static NOINLINE uint64_t crowd(unsigned depth, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f,
                               int64_t g, uint64_t h, i128 i, u128 j, truth k, char l, colour m, float n, double o,
                               c64 p, c32 q, pointer r, function s) {
  if (depth == 0)
    return 31;
  uint64_t sum =
      crowd(depth - 1, (int8_t)(a + 1), (uint8_t)(b + 1), (int16_t)(c - 1), (uint16_t)(d * 3), e ^ 5, f + 7, g ^ 9,
            h * 3, i ^ 1, j + (u128)i, !k, (char)(l ^ 1), m == RED ? GREEN : BLUE, n * 0.5f, o + 1.0,
            p + pair64(1.0, o), q + pair32(n, 2.0f), table + (r - table + 1) % 256, s == flip ? twice : flip);
  sum = mix(mix(mix(sum, sum_int8_t(a)), sum_uint8_t(b)), sum_int16_t(c));
  sum = mix(mix(mix(sum, sum_uint16_t(d)), sum_int32_t(e)), sum_uint32_t(f));
  sum = mix(mix(mix(sum, sum_int64_t(g)), sum_uint64_t(h)), sum_i128(i));
  sum = mix(mix(mix(sum, sum_u128(j)), sum_truth(k)), sum_char(l));
  sum = mix(mix(mix(sum, sum_colour(m)), sum_float(n)), sum_double(o));
  sum = mix(mix(mix(sum, sum_c64(p)), sum_c32(q)), sum_pointer(r));
  return mix(sum, sum_function(s));
}

/* More values of one register class than there are registers, live across a call in a loop. */
static NOINLINE uint64_t many_doubles(uint64_t sum) {
  double d[20];
  for (int i = 0; i < 20; i++)
    d[i] = make_double(mix(sum, (uint64_t)i));
  double d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5], d6 = d[6], d7 = d[7], d8 = d[8], d9 = d[9];
  double e0 = d[10], e1 = d[11], e2 = d[12], e3 = d[13], e4 = d[14], e5 = d[15], e6 = d[16], e7 = d[17], e8 = d[18];
  for (unsigned i = 0; i < 8; i++) {
    sum = spread(sum);
    d0 += d1, d1 -= d2 * 0.5, d2 += d3, d3 -= d4 * 0.25, d4 += d5, d5 -= d6, d6 += d7, d7 *= 0.5, d8 += d9, d9 -= 3.0;
    e0 += d0, e1 -= e2 * 0.5, e2 += e3, e3 *= 0.25, e4 += e5, e5 -= e6, e6 += e7 * 0.5, e7 -= e8, e8 += d8 * 0.125;
  }
  double low = d0 + d1 + d2 + d3 + d4 + d5 + d6 + d7 + d8 + d9;
  return mix_double(mix_double(sum, low), e0 + e1 + e2 + e3 + e4 + e5 + e6 + e7 + e8);
}

static NOINLINE uint64_t many_integers(uint64_t a) {
  uint64_t b = twice(a), c = twice(b), d = flip(c), e = spread(d), f = twice(e), g = spread(f), h = flip(g);
  uint64_t i = spread(h), j = twice(i), k = spread(j), l = twice(k), m = spread(l), n = flip(m), o = spread(n);
  for (unsigned round = 0; round < 8; round++) {
    a += spread(b ^ round);
    b -= c, c ^= d, d += e, e ^= f, f += g, g ^= h, h -= i, i += j, j ^= k, k += l, l -= m, m ^= n, n += o, o ^= a;
  }
  return mix(a ^ b ^ c ^ d ^ e ^ f ^ g, h ^ i ^ j ^ k ^ l ^ m ^ n ^ o);
}

/* 128-bit arithmetic whose steps are calls, in part into the compiler's library. */
static NOINLINE uint64_t wide_arithmetic(uint64_t seed) {
  u128 a = make_u128(seed), b = make_u128(spread(seed)) | 1;
  i128 c = make_i128(seed);
  for (unsigned i = 0; i < 6; i++) {
    u128 quotient = a / b, rest = a % b;
    CHECK(quotient * b + rest == a);
    i128 signed_rest = c % 1000003;
    a = a * 6364136223846793005u + make_u128(twice(seed + i));
    b = b >> 5 | 1;
    c = (i128)((u128)c * 3 + (u128)signed_rest - rest);
  }
  return mix(sum_u128(a), sum_i128(c));
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 250000);
  uint64_t sum = opaque(TYPES);
  for (long i = 0; i < rounds; i++) {
    uint64_t x = mix(sum, (uint64_t)i);
    sum = each_alone(sum);
    sum = all_pairs(sum);
    sum = mix(sum, crowd(4, make_int8_t(x), make_uint8_t(x), make_int16_t(x), make_uint16_t(x), make_int32_t(x),
                         make_uint32_t(x), make_int64_t(x), make_uint64_t(x), make_i128(x), make_u128(x), make_truth(x),
                         make_char(x), make_colour(x), make_float(x), make_double(x), make_c64(x), make_c32(x),
                         make_pointer(x), make_function(x)));
    sum = mix(mix(many_doubles(sum), many_integers(sum)), wide_arithmetic(sum));
    progress("scalars", i, rounds, sum);
  }
  return finish("scalars", sum);
}
