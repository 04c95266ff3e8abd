/*
 * A program of this directory holds the kinds of state that its first argument names: it makes them, computes, and uses and checks
 * them, round after round, so that a migration finds them as they are in between. Usage: PROGRAM KIND[,KIND]... [rounds] [work]
 */
#ifndef KINDS_H
#define KINDS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../program.h"

struct kind {
  const char *name;
  void (*make)(void);
  uint64_t (*use)(uint64_t round); /* what it returns is part of the checksum: the same in every run */
  void (*end)(void);
};

static NOINLINE uint64_t kind_step(uint64_t sum) { return mix_at_site(sum, 107); }

#define MOST_KINDS 16

/* The kinds that are named, in the order of the table; exits with status 2 if there is none. */
static NOINLINE size_t find_kinds(const char *names, const struct kind *kinds, size_t count, const struct kind **found) {
  size_t number = 0;
  for (size_t i = 0; i < count; i++) {
    size_t length = strlen(kinds[i].name);
    for (const char *name = names; name != NULL; name = strchr(name, ','), name += name != NULL)
      if (strncmp(name, kinds[i].name, length) == 0 && (name[length] == '\0' || name[length] == ','))
        found[number++] = &kinds[i];
  }
  if (number == 0) {
    fprintf(stderr, "kinds '%s' are unknown\n", names);
    exit(2);
  }
  return number;
}

static NOINLINE int run_kinds(int argc, char **argv, const struct kind *kinds, size_t count) {
  const struct kind *chosen[MOST_KINDS];
  size_t number = find_kinds(argc > 1 ? argv[1] : "", kinds, count, chosen);
  long rounds = argument(argc, argv, 2, 10), work = argument(argc, argv, 3, 20000);
  uint64_t sum = opaque(79);
  for (size_t i = 0; i < number; i++)
    chosen[i]->make();
  for (long round = 0; round < rounds; round++) {
    sum = compute_in_frames(4, sum, work, kind_step);
    for (size_t i = 0; i < number; i++)
      sum = mix(sum, chosen[i]->use((uint64_t)round));
    progress("kinds", round, rounds, sum);
  }
  for (size_t i = number; i-- > 0;) /* in reverse: later children have inherited what earlier ones wait for the end of */
    chosen[i]->end();
  return finish("kinds", sum);
}

/* A child, and how it must end. */
static inline pid_t kind_fork(void) {
  fflush(stdout);
  pid_t child = fork();
  CHECK(child >= 0);
  return child;
}

static inline void kind_reap(pid_t child, int expected) {
  int status;
  pid_t got;
  while ((got = waitpid(child, &status, 0)) < 0 && errno == EINTR)
    ;
  CHECK(got == child && WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

static inline void kind_sleep(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0)
    CHECK(errno == EINTR);
}

#endif
