/*
 * The question what the processor has is asked when it matters, and anew behind every move: what an earlier machine had does not count. Prints
 * what there is here. With an argument, what the baseline lacks is taken to be here without asking.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "processor.h"

#define SIZE 700
#define MOVES 2000

static char text[SIZE], other[SIZE];
static size_t (*volatile length)(const char *) = strlen;
static int (*volatile compare)(const char *, const char *) = strcmp;
static int (*volatile compare_memory)(const void *, const void *, size_t) = memcmp;
static void *(*volatile copy_memory)(void *, const void *, size_t) = memcpy;
static double (*volatile multiply_add)(double, double, double) = fma;
static float (*volatile multiply_add_float)(float, float, float) = fmaf;

static void fail(const char *what) {
  printf("%s\n", what);
  exit(1);
}

static void use(void) {
  char place[SIZE];
  copy_memory(place, text, SIZE);
  if (memcmp(place, text, SIZE))
    fail("memcpy");
  if (length(text) != SIZE - 1 || compare(text, other) >= 0 || compare_memory(text, other, SIZE) >= 0)
    fail("strings");
  if (multiply_add(0x1.0000000000001p0, 0x1.0000000000001p0, -0x1.0000000000002p0) != 0x1p-104)
    fail("fma");
  if (multiply_add_float(0x1.000002p0f, 0x1.000002p0f, -0x1.000004p0f) != 0x1p-46f)
    fail("fmaf");
}

static int abilities(void) {
  uint64_t moves = __transproc_args.moves;
  if (__transproc_processor.asked != moves)
    fail("not asked");
  return (__transproc_processor.wide == moves) + 2 * (__transproc_processor.fused == moves);
}

static void set(uint64_t asked, uint64_t wide, uint64_t fused) {
  __transproc_processor.asked = asked;
  __transproc_processor.wide = wide;
  __transproc_processor.fused = fused;
}

static void *use_often(void *unused) {
  for (int i = 0; i < MOVES; i++)
    use();
  return unused;
}

/* Threads that ask at the same time, while the count changes. */
static void together(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    if (pthread_create(&threads[i], 0, use_often, 0))
      fail("thread");
  for (int i = 0; i < MOVES; i++) {
    *(volatile uint64_t *)&__transproc_args.moves += 1;
    use();
  }
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], 0);
}

int main(int argc, char **argv) {
  (void)argv;
  memset(text, 'x', SIZE - 1);
  memcpy(other, text, SIZE);
  other[SIZE - 2] = 'y';
  uint64_t *moves = &__transproc_args.moves;
  if (argc > 1) {
    set(*moves, *moves, *moves);
    use();
    puts("used");
    return 0;
  }
  use();
  int here = abilities();
  *moves += 1; /* to a machine that has the same */
  use();
  if (abilities() != here)
    fail("same machine");
  set(*moves, *moves, *moves); /* from one that has everything */
  *moves += 1;
  use();
  if (abilities() != here)
    fail("from one that has more");
  set(*moves, UINT64_MAX, UINT64_MAX); /* from one that has nothing */
  use();
  if (abilities())
    fail("asked again without a move");
  *moves += 1;
  use();
  if (abilities() != here)
    fail("from one that has less");
  together();
  fprintf(stderr, "%s%s\n", here & 1 ? "wide " : "", here & 2 ? "fused" : "");
  puts("done");
  return 0;
}
