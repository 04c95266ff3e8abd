/*
 * Vectors of 2 to 64 bytes (GNU vector_size), live across calls, as arguments, results and locals.
 * Usage: vectors [rounds]
 */
#include "program.h"

#define EACH_VECTOR(X) \
  X(int8_t, 2) X(int8_t, 4) X(int8_t, 8) X(uint8_t, 16) X(int8_t, 32) X(uint8_t, 64) \
  X(int16_t, 4) X(uint16_t, 8) X(int16_t, 16) X(uint16_t, 32) X(int16_t, 64) \
  X(int32_t, 8) X(uint32_t, 16) X(int32_t, 32) X(uint32_t, 64) \
  X(uint64_t, 8) X(int64_t, 16) X(uint64_t, 32) X(int64_t, 64) \
  X(float, 8) X(float, 16) X(float, 32) X(float, 64) \
  X(double, 8) X(double, 16) X(double, 32) X(double, 64)

/*
 * For each vector type: make it lane by lane; combine two with arithmetic; and a recursion that keeps two of them,
 * and a comparison's mask, live across the call. Integer lanes are computed modulo 2^bits through their unsigned
 * type.
 */
#define VECTOR(T, N) \
  typedef T T##_##N __attribute__((vector_size(N))); \
  static NOINLINE T##_##N make_##T##_##N(uint64_t seed) { \
    T##_##N v; \
    for (size_t i = 0; i < N / sizeof(T); i++) \
      v[i] = (T)(next_random(&seed) >> 60); \
    return v; \
  } \
  static NOINLINE T##_##N blend_##T##_##N(T##_##N a, T##_##N b) { \
    T##_##N ones = a - a + (T)1; \
    return (a + b) - (b - ones); \
  } \
  static uint64_t sum_##T##_##N(uint64_t sum, T##_##N v) { \
    for (size_t i = 0; i < N / sizeof(T); i++) \
      sum = mix_double(mix(sum, (uint64_t)(int64_t)v[i]), (double)v[i]); \
    return sum; \
  } \
  static NOINLINE T##_##N recurse_##T##_##N(T##_##N a, T##_##N b, unsigned depth, uint64_t *sum) { \
    if (depth == 0) \
      return blend_##T##_##N(a, b); \
    T##_##N mine = make_##T##_##N(*sum | 1); \
    __typeof__(mine < a) less = mine < a; \
    T##_##N back = recurse_##T##_##N(b, mine, depth - 1, sum); \
    for (size_t i = 0; i < N / sizeof(T); i++) \
      back[i] = less[i] != 0 ? back[i] : mine[i]; \
    *sum = sum_##T##_##N(sum_##T##_##N(*sum, mine), a); \
    return back; \
  } \
  static NOINLINE uint64_t run_##T##_##N(uint64_t sum) { \
    T##_##N kept = make_##T##_##N(sum | 1), other = make_##T##_##N(~sum | 1); \
    T##_##N result = recurse_##T##_##N(kept, other, 4, &sum); \
    return sum_##T##_##N(sum_##T##_##N(sum_##T##_##N(sum, result), kept), other); \
  }
EACH_VECTOR(VECTOR)

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 41); }

/* Vectors of several widths live across one call in a loop. */
static NOINLINE uint64_t mixture(uint64_t sum) {
  float_16 f = make_float_16(sum | 1);
  double_32 d = make_double_32(sum | 1);
  int32_t_8 i = make_int32_t_8(sum | 1);
  uint8_t_16 b = make_uint8_t_16(sum | 1);
  uint64_t_32 q = make_uint64_t_32(sum | 1);
  for (int n = 0; n < 12; n++) {
    sum = step(sum);
    f = f * 0.5f + (float)(sum & 255);
    d = d * 0.25 - (double)(sum & 1023);
    i = (i ^ (int32_t)(sum & 0xffff)) & 0xffffff;
    b = b + (uint8_t)sum;
    q = (q << 3 | q >> 61) ^ sum;
  }
  sum = sum_float_16(sum, f);
  sum = sum_double_32(sum, d);
  sum = sum_int32_t_8(sum, i);
  sum = sum_uint8_t_16(sum, b);
  return sum_uint64_t_32(sum, q);
}

/* Vectors in memory whose address is taken, and loops that a compiler turns into vectors by itself. */
static NOINLINE uint64_t in_memory(uint64_t sum) {
  float_16 rows[8];
  float columns[4] = {0};
  for (unsigned i = 0; i < 8; i++)
    rows[i] = make_float_16(mix(sum, i) | 1);
  for (unsigned i = 0; i < 8; i++)
    for (unsigned j = 0; j < 4; j++)
      columns[j] += rows[i][j] * (float)(i + 1);
  float_16 *middle = &rows[3];
  sum = step(sum);
  *middle += rows[sum % 8];
  int32_t squares[64], total = 0;
  for (int i = 0; i < 64; i++)
    squares[i] = i * i + (int32_t)(sum & 7);
  for (int i = 0; i < 64; i++)
    total += squares[i];
  for (unsigned j = 0; j < 4; j++)
    sum = mix_double(sum, (double)columns[j]);
  return sum_float_16(mix(sum, (uint64_t)total), *middle);
}

#define RUN(T, N) sum = run_##T##_##N(sum);
static NOINLINE uint64_t each_vector(uint64_t sum) {
  EACH_VECTOR(RUN)
  return sum;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 50000);
  uint64_t sum = opaque(5);
  for (long i = 0; i < rounds; i++) {
    sum = each_vector(sum);
    sum = mixture(sum);
    sum = in_memory(sum);
    progress("vectors", i, rounds, sum);
  }
  return finish("vectors", sum);
}
