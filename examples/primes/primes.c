/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Counts primes with several threads: they take ranges of numbers from one counter and sieve them, each with the small
 * primes that all share. A line is printed whenever another tenth of the ranges is done.
 *
 * Usage: primes [limit in millions] [threads]      default 2000 4
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE 500000
#define MAX_THREADS 64
#define SMALL_LIMIT 50000 /* squared, more than the greatest limit */
#define MAX_MILLIONS 2400

static uint32_t small_primes[6000];
static size_t small_count;

struct progress {
  pthread_mutex_t mutex;
  long ranges, next, done; /* all of them; the first not yet taken; how many are finished */
  uint64_t *found;         /* primes in each range */
};

static void find_small_primes(void) {
  static bool composite[SMALL_LIMIT];
  for (uint32_t i = 2; i < SMALL_LIMIT; i++) {
    if (composite[i])
      continue;
    small_primes[small_count++] = i;
    for (uint64_t j = (uint64_t)i * i; j < SMALL_LIMIT; j += i)
      composite[j] = true;
  }
}

/* The number of primes in [low, low + RANGE). */
static uint64_t sieve(uint64_t low) {
  uint8_t *composite = calloc(RANGE, 1);
  if (composite == NULL) {
    perror("calloc");
    exit(1);
  }
  uint64_t high = low + RANGE, count = 0;
  for (size_t i = 0; i < small_count; i++) {
    uint64_t prime = small_primes[i], first = (low + prime - 1) / prime * prime;
    if (prime * prime >= high)
      break;
    for (uint64_t j = first > prime * prime ? first : prime * prime; j < high; j += prime)
      composite[j - low] = 1;
  }
  for (uint64_t n = low < 2 ? 2 : low; n < high; n++)
    count += composite[n - low] == 0;
  free(composite);
  return count;
}

/* Takes the next range, or returns -1 when there is none. */
static long take_range(struct progress *progress) {
  pthread_mutex_lock(&progress->mutex);
  long range = progress->next < progress->ranges ? progress->next++ : -1;
  pthread_mutex_unlock(&progress->mutex);
  return range;
}

static void finish_range(struct progress *progress, long range, uint64_t count) {
  pthread_mutex_lock(&progress->mutex);
  progress->found[range] = count;
  long tenth = progress->done++ * 10 / progress->ranges;
  if (progress->done * 10 / progress->ranges != tenth) {
    printf("%ld of %ld ranges done\n", progress->done, progress->ranges);
    fflush(stdout);
  }
  pthread_mutex_unlock(&progress->mutex);
}

static void *work(void *argument) {
  struct progress *progress = argument;
  for (long range; (range = take_range(progress)) >= 0;)
    finish_range(progress, range, sieve((uint64_t)range * RANGE));
  return NULL;
}

static long number(int argc, char **argv, int index, long fallback, long greatest) {
  char *end;
  long value = index < argc ? strtol(argv[index], &end, 10) : fallback;
  if (value <= 0 || value > greatest || (index < argc && *end != '\0')) {
    fprintf(stderr, "usage: %s [limit in millions, up to %d] [threads, up to %d]\n", argv[0], MAX_MILLIONS,
            MAX_THREADS);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  long millions = number(argc, argv, 1, 2000, MAX_MILLIONS), threads = number(argc, argv, 2, 4, MAX_THREADS);
  struct progress progress = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ranges = millions * (1000000 / RANGE)};
  progress.found = calloc((size_t)progress.ranges, sizeof *progress.found);
  if (progress.found == NULL) {
    perror("calloc");
    return 1;
  }
  find_small_primes();
  pthread_t ids[MAX_THREADS];
  for (long i = 0; i < threads; i++)
    if (pthread_create(&ids[i], NULL, work, &progress) != 0) {
      fprintf(stderr, "cannot create thread %ld\n", i);
      return 1;
    }
  for (long i = 0; i < threads; i++)
    pthread_join(ids[i], NULL);
  uint64_t total = 0;
  for (long range = 0; range < progress.ranges; range++)
    total += progress.found[range];
  printf("%llu primes below %ld million\n", (unsigned long long)total, millions);
  free(progress.found);
  return 0;
}
