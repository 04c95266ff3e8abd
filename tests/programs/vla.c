/*
 * Dynamic stack memory: variable-length arrays, in loops and of several dimensions, alloca, and locals with an
 * alignment of 32, 64 and 128 bytes, mixed with each other and with recursion. Usage: vla [rounds]
 */
#include <alloca.h>

#include "program.h"

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 53); }

static NOINLINE bool is_aligned(const void *p, size_t alignment) { return (uintptr_t)p % alignment == 0; }

static NOINLINE void fill(uint32_t *words, size_t count, uint64_t seed) {
  for (size_t i = 0; i < count; i++)
    words[i] = (uint32_t)mix(seed, i);
}

static NOINLINE uint64_t sum_up(const uint32_t *words, size_t count, uint64_t sum) {
  for (size_t i = 0; i < count; i++)
    sum = mix(sum, words[i]);
  return sum;
}

/* One array whose size depends on the depth in each frame. */
static NOINLINE uint64_t plain(unsigned depth, uint64_t seed) {
  size_t count = 1 + seed % 40;
  uint32_t words[count];
  fill(words, count, seed);
  uint64_t expected = sum_up(words, count, 0);
  uint64_t below = depth == 0 ? seed : plain(depth - 1, step(seed));
  CHECK(sum_up(words, count, 0) == expected);
  CHECK(sizeof words == count * sizeof(uint32_t));
  return mix(below, expected);
}

/* An array that begins and ends its life in every turn of a loop: the stack pointer goes down and up again. */
static NOINLINE uint64_t in_loop(uint64_t seed) {
  uint64_t sum = seed;
  for (unsigned i = 1; i < 30; i++) {
    uint32_t words[i + seed % 5];
    fill(words, i, sum);
    for (unsigned j = i; j > 1; j /= 2) {
      uint32_t inner[j];
      fill(inner, j, sum + j);
      sum = step(sum);
      sum = sum_up(inner, j, sum);
    }
    sum = sum_up(words, i, sum);
  }
  return sum;
}

/* Two dimensions, handed on with its sizes. */
static NOINLINE double trace(size_t rows, size_t columns, double matrix[rows][columns]) {
  double sum = 0.0;
  for (size_t i = 0; i < rows && i < columns; i++)
    sum += matrix[i][i];
  return sum;
}

static NOINLINE uint64_t matrix(uint64_t seed) {
  size_t rows = 2 + seed % 5, columns = 3 + seed % 7;
  double m[rows][columns], t[columns][rows];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      t[j][i] = m[i][j] = (double)(step(seed + i * columns + j) >> 40);
  double first = trace(rows, columns, m), second = trace(columns, rows, t);
  CHECK(first == second);
  return mix_double(mix(sizeof m, sizeof m[0]), first);
}

/* alloca in a loop: all pieces live until the function returns, linked with each other. */
struct piece {
  struct piece *next;
  size_t size;
  uint8_t bytes[];
};

static NOINLINE uint64_t pieces(uint64_t seed) {
  struct piece *list = NULL;
  uint64_t sum = seed;
  for (unsigned i = 0; i < 20; i++) {
    size_t size = 1 + step(sum) % 50;
    struct piece *piece = alloca(sizeof *piece + size);
    piece->next = list;
    piece->size = size;
    memset(piece->bytes, (int)i, size);
    list = piece;
    sum = step(sum);
  }
  unsigned i = 20;
  for (struct piece *piece = list; piece != NULL; piece = piece->next) {
    i--;
    for (size_t j = 0; j < piece->size; j++)
      CHECK(piece->bytes[j] == i);
    sum = mix(sum, piece->size);
  }
  CHECK(i == 0);
  return sum;
}

/* Locals with more alignment than the stack has. */
static NOINLINE uint64_t aligned(unsigned depth, uint64_t seed) {
  _Alignas(64) uint32_t a[3];
  char between = (char)(seed & 63);
  _Alignas(128) uint64_t b = seed;
  _Alignas(32) double c[5] = {1.0, 2.0, 3.0, 4.0, (double)depth};
  fill(a, 3, seed);
  uint64_t below = depth == 0 ? seed : aligned(depth - 1, step(b));
  CHECK(is_aligned(a, 64) && is_aligned(&b, 128) && is_aligned(c, 32));
  CHECK(b == seed && c[4] == (double)depth && between == (char)(seed & 63));
  return sum_up(a, 3, mix_double(mix(below, b), c[depth % 5]));
}

/* Everything at once: over-aligned locals, an array of variable length, alloca, and recursion. */
static NOINLINE uint64_t mixture(unsigned depth, uint64_t seed) {
  _Alignas(64) uint8_t line[64];
  size_t count = 1 + seed % 17;
  uint32_t words[count];
  memset(line, (int)(depth + 1), sizeof line);
  fill(words, count, seed);
  uint32_t *more = alloca(count * sizeof *more);
  memcpy(more, words, count * sizeof *more);
  uint64_t below = depth == 0 ? seed : mixture(depth - 1, step(seed));
  more[0] ^= (uint32_t)below;
  CHECK(is_aligned(line, 64) && line[0] == depth + 1 && line[63] == depth + 1);
  CHECK((more[0] ^ words[0]) == (uint32_t)below);
  return sum_up(words, count, sum_up(more, count, below));
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 200000);
  uint64_t sum = opaque(13);
  for (long i = 0; i < rounds; i++) {
    sum = plain(10, sum);
    sum = in_loop(sum);
    sum = mix(sum, matrix(sum));
    sum = pieces(sum);
    sum = aligned(6, sum);
    sum = mixture(8, sum);
    progress("vla", i, rounds, sum);
  }
  return finish("vla", sum);
}
