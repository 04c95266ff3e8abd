/*
 * Locals that live in memory: pointers to them in the heap, in globals and in other locals, lists that are threaded
 * through frames, arrays of every size from 1 to 33 bytes with guards on both sides. Usage: locals [rounds]
 */
#include "program.h"

static uint64_t *global_pointer;
static uint64_t **global_indirect;

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 47); }

/* Changes a local of some caller through whatever leads to it. */
static NOINLINE void change_through_globals(uint64_t value) {
  *global_pointer += value;
  **global_indirect ^= value << 7;
}

struct box {
  uint64_t *first;
  double *second;
  int32_t (*array)[5];
};

/* A local's address in the heap: what the callee changes, the frame sees. */
static NOINLINE uint64_t through_heap(unsigned depth, struct box *outer) {
  uint64_t number = step(depth);
  double real = depth * 0.5;
  int32_t array[5] = {1, 2, 3, 4, (int32_t)depth};
  struct box *box = malloc(sizeof *box);
  CHECK(box != NULL);
  *box = (struct box){&number, &real, &array};
  if (outer != NULL) {
    *outer->first += number;
    *outer->second += real;
    (*outer->array)[depth % 5] += (int32_t)depth;
  }
  uint64_t below = depth == 0 ? 3 : through_heap(depth - 1, box);
  CHECK(box->first == &number && box->second == &real && *box->array == array);
  CHECK(*box->first == number && (*box->array)[4] == array[4]);
  uint64_t sum = mix_double(mix(below, number), real);
  for (int i = 0; i < 5; i++)
    sum = mix(sum, (uint64_t)array[i]);
  free(box);
  return sum;
}

static NOINLINE uint64_t through_globals(unsigned depth, uint64_t seed) {
  uint64_t mine = seed, *pointer = &mine;
  uint64_t *saved_pointer = global_pointer, **saved_indirect = global_indirect;
  global_pointer = &mine;
  global_indirect = &pointer;
  change_through_globals(depth);
  uint64_t below = depth == 0 ? 5 : through_globals(depth - 1, step(mine));
  change_through_globals(below);
  CHECK(pointer == &mine);
  global_pointer = saved_pointer;
  global_indirect = saved_indirect;
  return mix(below, mine);
}

/* A list whose links lie one in each frame: the innermost walks it outwards and writes to each. */
struct link {
  const struct link *outer;
  uint64_t *cell;
  unsigned depth;
};

static NOINLINE uint64_t walk(const struct link *link) {
  uint64_t sum = 0;
  for (; link != NULL; link = link->outer) {
    *link->cell = step(*link->cell + link->depth);
    sum = mix(sum, *link->cell);
  }
  return sum;
}

static NOINLINE uint64_t chain(const struct link *outer, unsigned depth) {
  uint64_t cell = depth;
  struct link link = {outer, &cell, depth};
  uint64_t below = depth == 0 ? walk(&link) : chain(&link, depth - 1);
  if (depth % 3 == 0)
    below = mix(below, walk(&link));
  CHECK(link.cell == &cell && link.outer == outer);
  return mix(below, cell);
}

/* Locals that point to each other: a ring of four, and pointers into the middle and to the end of an array. */
struct ring {
  struct ring *next;
  uint64_t value;
};

static NOINLINE void turn(struct ring *ring, unsigned times) {
  for (; times != 0; times--, ring = ring->next)
    ring->next->value = step(ring->value + ring->next->value);
}

static NOINLINE uint64_t rings(uint64_t seed) {
  struct ring a, b, c, d;
  uint16_t words[9] = {0};
  uint16_t *middle = &words[4], *end = words + 9;
  a = (struct ring){&b, seed};
  b = (struct ring){&c, 1};
  c = (struct ring){&d, 2};
  d = (struct ring){&a, 3};
  turn(&a, 10);
  for (uint16_t *w = words; w != end; w++)
    *w = (uint16_t)(step((uint64_t)(w - words)) + *middle);
  turn(&c, 7);
  CHECK(a.next->next->next->next == &a && end - middle == 5);
  return mix_bytes(mix(mix(a.value, b.value), mix(c.value, d.value)), words, sizeof words);
}

/* Takes pointers to a caller's variable of every basic type; the caller keeps using the variables. */
static NOINLINE void touch(bool *a, char *b, int16_t *c, int32_t *d, int64_t *e, float *f, double *g, __int128 *h,
                           void **i) {
  *a = !*a;
  *b = (char)(*b ^ 1);
  *c = (int16_t)(*c ^ 257);
  *d ^= 65537;
  *e ^= INT64_C(0x100000001);
  *f = *f * 0.5f + 1.0f;
  *g = *g * 0.5 + 3.0;
  *h ^= (__int128)5 << 100 | 9;
  CHECK(*i == h);
}

static NOINLINE uint64_t every_type(uint64_t seed) {
  bool a = seed % 2 != 0;
  char b = (char)(seed & 63);
  int16_t c = (int16_t)seed;
  int32_t d = (int32_t)seed;
  int64_t e = (int64_t)seed;
  float f = (float)c;
  double g = (double)d;
  __int128 h = (__int128)e * 1000003;
  void *i = &h;
  for (int n = 0; n < 3; n++)
    touch(&a, &b, &c, &d, &e, &f, &g, &h, &i);
  uint64_t sum = mix(mix(mix(mix(mix(seed, a), (uint64_t)b), (uint64_t)c), (uint64_t)d), (uint64_t)e);
  return mix(mix(mix_double(mix_double(sum, (double)f), g), (uint64_t)h), (uint64_t)(h >> 64));
}

#define EACH_SIZE(X) \
  X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) \
  X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33)

static NOINLINE void fill(uint8_t *bytes, size_t size, uint64_t seed) {
  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t)(mix(seed, i) >> 32);
}

static NOINLINE void verify(const uint8_t *bytes, size_t size, uint64_t seed) {
  for (size_t i = 0; i < size; i++)
    CHECK(bytes[i] == (uint8_t)(mix(seed, i) >> 32));
}

/* An array of N bytes and one of each neighbouring size; each is filled, left over calls, and verified. */
#define ARRAY(N) \
  static NOINLINE uint64_t array##N(uint64_t seed, unsigned depth) { \
    uint8_t before[N + 1], bytes[N], after[N + 2]; \
    fill(before, sizeof before, seed + 1); \
    fill(bytes, sizeof bytes, seed); \
    fill(after, sizeof after, seed + 2); \
    uint64_t below = depth == 0 ? seed : array##N(step(seed), depth - 1); \
    verify(before, sizeof before, seed + 1); \
    verify(bytes, sizeof bytes, seed); \
    verify(after, sizeof after, seed + 2); \
    return mix_bytes(below, bytes, sizeof bytes); \
  }
EACH_SIZE(ARRAY)

#define RUN(N) sum = array##N(sum, 2);
static NOINLINE uint64_t each_array(uint64_t sum) {
  EACH_SIZE(RUN)
  return sum;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 60000);
  uint64_t sum = opaque(11);
  for (long i = 0; i < rounds; i++) {
    sum = mix(sum, through_heap(12, NULL));
    sum = through_globals(12, sum);
    sum = mix(sum, chain(NULL, 20));
    sum = mix(sum, rings(sum));
    sum = every_type(sum);
    sum = each_array(sum);
    progress("locals", i, rounds, sum);
  }
  return finish("locals", sum);
}
