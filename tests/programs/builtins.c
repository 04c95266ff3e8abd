/*
 * Builtins that look at frames: __builtin_frame_address(0), by which interpreters bound their recursion, and __builtin_setjmp; SSE2 by
 * its intrinsics, with vectors live across calls.
 * Usage: builtins [rounds]
 */
#include "program.h"
#include <emmintrin.h>

static char *base; /* of main's frame */
static void *resume[5];

/* Deeper frames have lower addresses, and a frame keeps its own, whatever happens meanwhile. */
static NOINLINE uint64_t bounded(char *caller, unsigned depth, uint64_t sum) {
  char *mine = __builtin_frame_address(0);
  CHECK(mine < caller);
  CHECK(base - mine < 1 << 20);
  if (depth != 0)
    sum = bounded(mine, depth - 1, mix_at_site(sum, depth));
  sum = mix_at_site(sum, 3);
  CHECK(mine == (char *)__builtin_frame_address(0));
  return sum;
}

static NOINLINE uint64_t jump(unsigned depth, uint64_t sum) {
  if (depth != 0)
    return jump(depth - 1, mix_at_site(sum, depth)) + 1;
  __builtin_longjmp(resume, 1);
}

/* The jump goes back to a frame that may have migrated since it was noted. */
static NOINLINE uint64_t catch(uint64_t sum) {
  volatile uint64_t kept = sum;
  volatile unsigned times = 0;
  if (__builtin_setjmp(resume) == 0 || times < 3) {
    times = times + 1;
    kept = mix_at_site(kept, times);
    jump(6, kept);
    CHECK(false);
  }
  return mix(kept, times);
}

static NOINLINE uint64_t add(__m128i v, uint64_t sum) {
  uint64_t parts[2];
  _mm_storeu_si128((__m128i *)parts, v);
  return mix(mix(sum, parts[0]), parts[1]);
}

static NOINLINE uint64_t vectors(uint64_t sum) {
  __m128i bytes = _mm_set1_epi8((char)sum), words = _mm_set_epi32(1, (int)(sum & 255), 3, 4);
  __m128d reals = _mm_set_pd((double)(sum & 1023), 2.5);
  for (int i = 0; i < 6; i++) {
    sum = mix_at_site(sum, 5);
    bytes = _mm_adds_epu8(bytes, _mm_set1_epi8((char)i));
    words = _mm_madd_epi16(words, _mm_shuffle_epi32(words, 0x1b));
    words = _mm_srli_epi32(words, 3);
    reals = _mm_mul_pd(reals, _mm_set1_pd(0.75));
    sum = mix(sum, (uint64_t)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, words)));
  }
  return mix_double(add(bytes, add(words, sum)), _mm_cvtsd_f64(reals));
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 20000);
  uint64_t sum = opaque(7);
  base = __builtin_frame_address(0);
  for (long i = 0; i < rounds; i++) {
    sum = bounded(base, 12, sum);
    sum = catch(sum);
    sum = vectors(sum);
    progress("builtins", i, rounds, sum);
  }
  return finish("builtins", sum);
}
