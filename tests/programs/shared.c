/*
 * Memory shared between processes: an anonymous shared mapping and one of a file, filled and checked by turns.
 * Usage: shared [rounds] [kilobytes]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define NAME "shared.tmp"

/* One process writes what the other is to find; the pipe says whose turn it is. */
static NOINLINE uint64_t fill(uint64_t *words, size_t count, uint64_t seed) {
  for (size_t i = 0; i < count; i++)
    words[i] = seed = mix_at_site(seed, i);
  return seed;
}

static NOINLINE uint64_t sum(const uint64_t *words, size_t count) {
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++)
    total = mix(total, words[i]);
  return total;
}

static NOINLINE uint64_t *share(int file, size_t size) {
  int flags = MAP_SHARED | (file < 0 ? MAP_ANONYMOUS : 0);
  uint64_t *words = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);
  CHECK(words != MAP_FAILED);
  return words;
}

static NOINLINE void give(int pipe, uint64_t value) { CHECK(write(pipe, &value, sizeof value) == sizeof value); }

static NOINLINE bool take(int pipe, uint64_t *value) {
  ssize_t got = read(pipe, value, sizeof *value);
  CHECK(got == 0 || got == sizeof *value);
  return got != 0;
}

/* The child: checks the anonymous mapping, answers with the file's. */
static NOINLINE _Noreturn void answer(uint64_t *anonymous, uint64_t *mapped, size_t count, int in, int out) {
  uint64_t expected;
  while (take(in, &expected)) {
    CHECK(sum(anonymous, count) == expected);
    fill(mapped, count, expected);
    give(out, sum(mapped, count));
  }
  exit(7);
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 200);
  size_t size = (size_t)argument(argc, argv, 2, 64) << 10, count = size / sizeof(uint64_t);
  int file = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(file >= 0 && ftruncate(file, (off_t)size) == 0);
  uint64_t *anonymous = share(-1, size), *mapped = share(file, size);
  int down[2], up[2];
  CHECK(pipe(down) == 0 && pipe(up) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(down[1]);
    close(up[0]);
    answer(anonymous, mapped, count, down[0], up[1]);
  }
  close(down[0]);
  close(up[1]);
  uint64_t total = opaque(1);
  for (long round = 0; round < rounds; round++) {
    fill(anonymous, count, total);
    give(down[1], sum(anonymous, count));
    uint64_t expected = 0;
    CHECK(take(up[0], &expected) && sum(mapped, count) == expected);
    total = mix(total, expected);
    if (round % 20 == 0)
      progress("round", round, rounds, total);
  }
  close(down[1]);
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  CHECK(unlink(NAME) == 0);
  printf("shared: checksum %016" PRIx64 "\n", total);
  return 0;
}
