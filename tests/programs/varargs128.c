/*
 * 128-bit integers as variable arguments, between others so that their alignment matters. A program of its own: clang
 * 19 for x86_64 reads such arguments from the wrong place once they lie on the stack. Usage: varargs128 [rounds]
 */
#include <stdarg.h>

#include "program.h"

typedef unsigned __int128 u128;

static NOINLINE uint64_t consume(unsigned pairs, va_list *list) {
  if (pairs == 0)
    return 3;
  int small = va_arg(*list, int);
  u128 wide = va_arg(*list, u128);
  uint64_t rest = consume(pairs - 1, list);
  return mix(mix(mix(rest, (uint64_t)small), (uint64_t)(wide >> 64)), (uint64_t)wide);
}

static NOINLINE uint64_t sum_pairs(unsigned pairs, ...) {
  va_list list;
  va_start(list, pairs);
  uint64_t sum = consume(pairs, &list);
  va_end(list);
  return sum;
}

static NOINLINE uint64_t expected(unsigned pairs, u128 first) {
  uint64_t sum = 3;
  for (unsigned i = pairs; i-- > 0;)
    sum = mix(mix(mix(sum, i), (uint64_t)((first + i) >> 64)), (uint64_t)(first + i));
  return sum;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 20000000);
  uint64_t sum = opaque(29);
  for (long i = 0; i < rounds; i++) {
    u128 wide = (u128)sum * UINT64_C(0x9e3779b97f4a7c15) + (u128)i;
    uint64_t pairs = sum_pairs(6, 0, wide, 1, wide + 1, 2, wide + 2, 3, wide + 3, 4, wide + 4, 5, wide + 5);
    CHECK(pairs == expected(6, wide));
    sum = mix(sum, pairs);
    progress("varargs128", i, rounds, sum);
  }
  return finish("varargs128", sum);
}
