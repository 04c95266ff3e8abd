/* memcpy, memmove, memset and memcmp, which are assembly for each ISA: all small sizes, alignments and overlaps, sizes around every
 * threshold, and the ends of mappings; with what the processor has, and without. They are compared with loops over bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "processor.h"

#define SMALL 300
#define AREA 80000
#define PAGE 4096

typedef unsigned char byte;

/* called through these, so that the compiler does not put its own code there */
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile set)(void *, int, size_t) = memset;
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;

static byte from[AREA], to[AREA], expected[AREA];
static unsigned long checks;

static byte pattern(size_t i) { return (byte)(i * 7 + i / 251 + 1); }

static void fill(byte *area, size_t n, size_t seed) {
  for (size_t i = 0; i < n; i++)
    area[i] = pattern(i + seed);
}

static void require(int holds, const char *what, size_t n, long a, long b) {
  checks++;
  if (holds)
    return;
  printf("%s: size %zu, %ld, %ld\n", what, n, a, b);
  exit(1);
}

static int same(const byte *a, const byte *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (a[i] != b[i])
      return 0;
  return 1;
}

static void copies(size_t n, size_t source, size_t target) {
  for (size_t i = 0; i < n + 64; i++)
    to[i] = 0;
  void *result = copy(to + target, from + source, n);
  int clean = 1;
  for (size_t i = 0; i < target; i++)
    clean &= to[i] == 0;
  for (size_t i = target + n; i < n + 64; i++)
    clean &= to[i] == 0;
  require(result == to + target && clean && same(to + target, from + source, n), "memcpy", n, source, target);
}

static void moves(size_t n, long distance) {
  size_t source = distance < 0 ? (size_t)-distance + 16 : 16, target = source + distance;
  size_t length = (source > target ? source : target) + n + 16;
  if (length > AREA)
    return;
  fill(to, length, n);
  fill(expected, length, n);
  for (size_t i = 0; i < n; i++)
    expected[target + i] = pattern(source + i + n);
  require(move(to + target, to + source, n) == to + target && same(to, expected, length), "memmove", n, distance, 0);
}

static void sets(size_t n, size_t target) {
  for (size_t i = 0; i < n + 64; i++)
    to[i] = 1;
  void *result = set(to + target, 0x1a5, n);
  int right = result == to + target;
  for (size_t i = 0; i < n + 64; i++)
    right &= to[i] == (i >= target && i < target + n ? 0xa5 : 1);
  require(right, "memset", n, target, 0);
}

static void compares(size_t n, size_t first, size_t second) {
  byte *a = from + first, *b = to + second;
  fill(a, n + 1, 0);
  fill(b, n + 1, 0);
  b[n] ^= 0xff;
  require(compare(a, b, n) == 0, "memcmp", n, -1, 0);
  for (size_t at = 0; at < n; at++) {
    b[at] ^= 0x85;
    if (at + 1 < n)
      b[at + 1] ^= 0xff;
    require(compare(a, b, n) == a[at] - b[at], "memcmp", n, at, 0);
    require(compare(b, a, n) == b[at] - a[at], "memcmp", n, at, 1);
    b[at] ^= 0x85;
    if (at + 1 < n)
      b[at + 1] ^= 0xff;
  }
}

/* Two pages between pages that cannot be accessed. */
static byte *island(void) {
  byte *area = mmap(0, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(area + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
  return area + PAGE;
}

static void ends(size_t n) {
  static byte *a, *b;
  if (!a)
    a = island(), b = island();
  byte *places[2][2] = {{a, b}, {a + 2 * PAGE - n, b + 2 * PAGE - n}};
  for (int i = 0; i < 4; i++) {
    byte *source = places[i & 1][0], *target = places[i >> 1][1];
    fill(source, n, n);
    set(target, 0, n);
    copy(target, source, n);
    require(same(source, target, n) && compare(source, target, n) == 0, "ends", n, i, 0);
  }
}

static void all(void) {
  static const long distances[] = {31, 32, 33, 47, 48, 63, 64, 65, 100, 127, 128, 129, 255, 1000, 4096};
  static const size_t large[] = {383, 384, 385, 416, 511, 512, 513, 640, 1000, 1999, 2047, 2048, 2049, 2063, 2064, 4095, 4096, 5000, 70001};
  fill(from, AREA, 0);
  for (size_t n = 0; n <= SMALL; n++) {
    for (size_t place = 0; place < 256; place++)
      copies(n, place % 16 + (n & 16), place / 16 + (n / 2 & 16));
    for (long d = -20; d <= 20; d++)
      moves(n, d);
    for (size_t i = 0; i < sizeof distances / sizeof *distances; i++)
      moves(n, distances[i]), moves(n, -distances[i]);
    for (long d = (long)n - 1; d <= (long)n + 1; d++)
      moves(n, d), moves(n, -d);
    for (size_t place = 0; place < 32; place++)
      sets(n, place);
    ends(n);
  }
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
    size_t n = large[i];
    for (size_t place = 0; place < 16; place += 3)
      copies(n, place, 15 - place), copies(n, place, place), sets(n, place);
    for (long d = -17; d <= 17; d += 2)
      moves(n, d);
    for (size_t k = 0; k < sizeof distances / sizeof *distances; k++)
      moves(n, distances[k]), moves(n, -distances[k]);
    if (n <= 2 * PAGE)
      ends(n);
  }
  for (size_t n = 0; n <= 70; n++)
    for (size_t place = 0; place < 16; place += 5)
      compares(n, place, 15 - place), compares(n, place, place);
  compares(300, 3, 9);
}

int main(void) {
  all();
  forget_abilities();
  all();
  printf("%lu checks\ndone\n", checks);
  return 0;
}
