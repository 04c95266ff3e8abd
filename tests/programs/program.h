/*
 * What the test programs share: checks, progress lines, checksums, and values the compiler cannot know.
 *
 * A test program prints the same text at every run, on every ISA and at every optimisation level: no addresses, times
 * or process ids. It checks itself as it goes; a failed check prints a line with FAILED and ends the program with
 * status 1. The runner compares the output of a run that migrates with the output of one that does not.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps a call a call: a frame that is inlined away cannot be migrated. */
#define NOINLINE __attribute__((noinline))

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

static inline void check_failed(const char *file, int line, const char *condition) {
  const char *slash = strrchr(file, '/');
  printf("FAILED %s:%d: %s\n", slash ? slash + 1 : file, line, condition);
  fflush(stdout);
  exit(1);
}

static volatile uint64_t opaque_zero;

/* The value itself, in a way that no compiler can fold: what is computed from it must really be computed. */
static inline uint64_t opaque(uint64_t value) { return value ^ opaque_zero; }

/*
 * The index-th argument as a number, or the fallback where there is none. Exits with status 2 unless it is in
 * 0..2^31-1.
 */
static inline long argument(int argc, char **argv, int index, long fallback) {
  if (index >= argc)
    return (long)opaque((uint64_t)fallback);
  char *end;
  long value = strtol(argv[index], &end, 10);
  if (*argv[index] == '\0' || *end != '\0' || value < 0 || value > INT32_MAX) {
    fprintf(stderr, "%s: '%s' is not a number\n", argv[0], argv[index]);
    exit(2);
  }
  return value;
}

/* One step of a 64-bit checksum; order matters. */
static inline uint64_t mix(uint64_t sum, uint64_t value) {
  sum = (sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
  return sum ^ sum >> 29;
}

/* Adds a double bit by bit; all NaNs count as one, since the sign of the default NaN differs between ISAs. */
static inline uint64_t mix_double(uint64_t sum, double value) {
  uint64_t bits = UINT64_C(0x7ff8000000000000);
  if (value == value)
    memcpy(&bits, &value, sizeof bits);
  return mix(sum, bits);
}

static inline uint64_t mix_bytes(uint64_t sum, const void *data, size_t size) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < size; i++)
    sum = mix(sum, bytes[i]);
  return sum;
}

static uint64_t mix_leaf(uint64_t sum, uint64_t value) { return mix(sum, value); }
static uint64_t (*volatile mix_target)(uint64_t, uint64_t) = mix_leaf;

/*
 * The same as mix(), but surely an equivalence point for its caller: calls to functions that call nothing are none, so what is
 * live only across them is never seen at a migration. This one calls through a pointer that no compiler can know (and adds,
 * lest it be a tail call).
 */
__attribute__((noinline, unused)) static uint64_t mix_at_site(uint64_t sum, uint64_t value) {
  return mix_target(sum, value) + 1;
}

/* Some frames, with a step on the way down and one on the way up, and work in the innermost. */
__attribute__((noinline, unused)) static uint64_t compute_in_frames(unsigned depth, uint64_t sum, long work,
                                                                    uint64_t (*step)(uint64_t sum)) {
  if (depth != 0)
    return step(compute_in_frames(depth - 1, step(sum), work, step));
  for (long i = 0; i < work; i++)
    sum = mix(sum, (uint64_t)i);
  return sum;
}

/* Pseudo-random numbers (xorshift64*); the state must not be 0. */
static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717);
}

/*
 * Prints about ten lines over a loop of `steps` steps, at once even into a file, so that a runner sees how far the
 * program is.
 */
static inline void progress(const char *name, long step, long steps, uint64_t sum) {
  if (step * 10 / steps == (step + 1) * 10 / steps)
    return;
  printf("%s: %ld/%ld %016" PRIx64 "\n", name, step + 1, steps, sum);
  fflush(stdout);
}

/* Prints the last line and returns the exit status for main. */
static inline int finish(const char *name, uint64_t sum) {
  printf("%s: checksum %016" PRIx64 "\n", name, sum);
  return fflush(stdout) == 0 ? 0 : 1;
}

#endif
