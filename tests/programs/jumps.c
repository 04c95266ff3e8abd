/*
 * setjmp and longjmp: errors thrown through many frames, nested handlers, jump buffers in the heap, locals that were changed
 * between setjmp and longjmp (volatile, as C demands), several buffers of one function, buffers in memory that was used
 * before, and jumps out of signal handlers.
 * Usage: jumps [rounds]
 */
#include <setjmp.h>
#include <signal.h>

#include "program.h"

struct handler {
  struct handler *outer;
  jmp_buf place;
  uint64_t thrown;
};

static struct handler *innermost;

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 71); }

static NOINLINE _Noreturn void throw_error(uint64_t value) {
  struct handler *handler = innermost;
  CHECK(handler != NULL);
  innermost = handler->outer;
  handler->thrown = value;
  longjmp(handler->place, (int)(value % 1000) + 1);
}

/* Throws from a depth that depends on the value, or returns from below. */
static NOINLINE uint64_t dive(unsigned depth, uint64_t value) {
  if (depth == 0) {
    if (value % 3 != 0)
      throw_error(value);
    return step(value);
  }
  uint64_t below = dive(depth - 1, step(value));
  return mix(below, value);
}

/* Tries, catches, and tries again until nothing is thrown. */
static NOINLINE uint64_t attempt(uint64_t seed) {
  volatile uint64_t value = seed;
  volatile unsigned tries = 0;
  struct handler *handler = malloc(sizeof *handler);
  CHECK(handler != NULL);
  handler->outer = innermost;
  int code = setjmp(handler->place);
  if (code != 0) {
    CHECK(code == (int)(handler->thrown % 1000) + 1);
    value = mix(value, handler->thrown);
  }
  tries++;
  innermost = handler;
  uint64_t result = dive(5 + tries % 7, value);
  innermost = handler->outer;
  free(handler);
  return mix(result, tries);
}

/* Handlers within handlers: each level catches what the next one throws and throws on. */
static NOINLINE uint64_t nest(unsigned depth, uint64_t seed) {
  struct handler handler = {.outer = innermost};
  volatile uint64_t mine = step(seed);
  if (setjmp(handler.place) == 0) {
    innermost = &handler;
    if (depth == 0)
      throw_error(mine);
    nest(depth - 1, mine);
    CHECK(!"the level below throws");
  }
  uint64_t caught = mix(handler.thrown, mine);
  if (handler.outer != NULL)
    throw_error(caught);
  return caught;
}

/* A loop made of longjmp alone. */
static NOINLINE uint64_t loop(uint64_t seed) {
  jmp_buf place;
  volatile uint64_t sum = seed;
  volatile int turns = 0;
  int value = setjmp(place);
  CHECK(value == turns);
  sum = step(sum + (uint64_t)value);
  turns++;
  if (turns < 20)
    longjmp(place, turns);
  return sum;
}

/* Two buffers of one function: a jump to the first leaves the second as it was. */
static NOINLINE uint64_t two_places(uint64_t seed) {
  jmp_buf first, second;
  const uint64_t kept = step(seed);
  volatile uint64_t sum = seed;
  volatile int turn = 0;
  int a = setjmp(first);
  turn++;
  sum = step(sum + kept + (uint64_t)a);
  if (turn == 1) {
    int b = setjmp(second);
    turn++;
    sum = step(sum + kept + 3 * (uint64_t)b);
    if (turn == 2)
      longjmp(first, 7);
    CHECK(b == 9);
  }
  if (turn == 3)
    longjmp(second, 9);
  CHECK(turn == 4);
  return mix(sum, kept);
}

/* A comparison as a condition, and a switch; the buffer is handed down. */
static NOINLINE uint64_t conditions(uint64_t seed) {
  jmp_buf place;
  volatile uint64_t sum = step(seed);
  volatile int turn = 0;
  if (setjmp(place) < 3) {
    sum = step(sum);
    longjmp(place, ++turn);
  }
  switch (setjmp(place)) {
    case 0:
      sum = step(sum + 1);
      longjmp(place, 0); /* arrives as 1 */
    case 1:
      sum = step(sum + 2);
      longjmp(place, 2);
    case 2: return mix(sum, (uint64_t)turn);
    default: CHECK(!"another value");
  }
  return 0;
}

/* How often this process has migrated; in a program that cannot, there is no such symbol. */
extern struct { uint64_t addresses[9], migrations; } __transproc_args __attribute__((weak));

static NOINLINE void make_dirty(jmp_buf place, uint64_t word) {
  uint64_t *words = (uint64_t *)place;
  for (size_t i = 0; i * sizeof *words < sizeof(jmp_buf); i++)
    words[i] = word;
}

/* Buffers in memory that was used before, full of numbers that a migration might take for its own notes. */
static NOINLINE uint64_t used_memory(unsigned depth, uint64_t seed) {
  jmp_buf place;
  volatile uint64_t sum = step(seed);
  make_dirty(place, (&__transproc_args ? __transproc_args.migrations : 0) + 1 + depth);
  if (setjmp(place) == 0) {
    sum = depth > 0 ? used_memory(depth - 1, sum) : step(sum);
    longjmp(place, 1);
  }
  return step(sum);
}

static sigjmp_buf escape;
static void on_signal(int number) { siglongjmp(escape, number); }

/* Out of a handler, to a place that was noted before; the signal's mask is as it was then, or it would not come again. */
static NOINLINE uint64_t interrupted(uint64_t seed) {
  volatile uint64_t sum = seed;
  volatile int caught = 0;
  int number = sigsetjmp(escape, 1);
  CHECK(number == (caught == 0 ? 0 : SIGUSR1));
  sum = step(sum);
  if (caught++ < 4) {
    raise(SIGUSR1);
    CHECK(!"the handler does not return");
  }
  return sum;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 2000000);
  uint64_t sum = opaque(53);
  signal(SIGUSR1, on_signal);
  for (long i = 0; i < rounds; i++) {
    sum = attempt(sum);
    sum = mix(sum, nest(8, sum));
    sum = mix(sum, loop(sum));
    sum = mix(sum, two_places(sum));
    sum = mix(sum, conditions(sum));
    sum = mix(sum, used_memory(3, sum));
    if (i % 64 == 0)
      sum = mix(sum, interrupted(sum));
    CHECK(innermost == NULL);
    progress("jumps", i, rounds, sum);
  }
  return finish("jumps", sum);
}
