/*
 * Static and thread-local data: initialised and zero, constant, local to functions, with relocations (pointers to data,
 * functions, strings, the middle of arrays), over-aligned, in several threads; constructors and atexit handlers.
 * Usage: statics [rounds]
 */
#include <pthread.h>

#include "program.h"

#define THREADS 3

struct entry {
  const char *name;
  uint64_t (*function)(uint64_t);
  uint32_t *counter;
  struct entry *next;
};

static NOINLINE uint64_t twice(uint64_t x) { return 2 * x + 1; }
static NOINLINE uint64_t spread(uint64_t x) { return mix_at_site(x, 67); }

static uint32_t counters[4] = {1, 2, 3, 4};
static uint64_t zeroes[500];
static const uint16_t squares[] = {0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100};
static const uint16_t *const middle = &squares[5];
static double real = 0.1;
static uint8_t single = 7;
static _Alignas(64) uint64_t aligned[3] = {5, 6, 7};
static struct entry entries[3] = {
    {"first", twice, &counters[1], &entries[2]},
    {"second", spread, &counters[3], &entries[0]},
    {"third", twice, &counters[0], &entries[1]},
};
static const char *const words[] = {"pause", "dump", "transform", "restore", "resume"};
uint64_t exported = 99; /* not static: an ordinary symbol */
static uint32_t constructed;

static _Thread_local uint64_t local_sum = 123456789;
static _Thread_local uint32_t local_zero[9];
static _Thread_local const char *local_word = "pause";
static _Thread_local _Alignas(64) double local_aligned = 0.5;
static _Thread_local uint64_t *local_pointer;

__attribute__((constructor)) static void construct(void) { constructed = 4711; }

static void say_goodbye(void) {
  printf("statics: goodbye %u\n", counters[1] != 0);
  fflush(stdout);
}

/* Counters that live as long as the program, one for each of two functions with equal names inside. */
static NOINLINE uint64_t ticket(void) {
  static uint64_t number = 1000;
  static char text[24];
  snprintf(text, sizeof text, "%" PRIu64, ++number);
  return mix_bytes(number, text, strlen(text));
}

static NOINLINE uint64_t other_ticket(void) {
  static uint64_t number;
  static const uint64_t *where = &number;
  number += 3;
  return *where;
}

static NOINLINE uint64_t walk_entries(uint64_t sum) {
  const struct entry *entry = &entries[sum % 3];
  for (int i = 0; i < 7; i++, entry = entry->next) {
    ++*entry->counter;
    sum = entry->function(mix_bytes(sum, entry->name, strlen(entry->name)) + *entry->counter);
  }
  return sum;
}

static NOINLINE uint64_t touch_all(uint64_t sum) {
  zeroes[sum % 500] += sum;
  real = real * 0.5 + (double)(sum >> 50);
  single = (uint8_t)(single * 5 + 1);
  aligned[sum % 3] ^= spread(sum);
  exported += twice(single);
  CHECK((uintptr_t)aligned % 64 == 0 && constructed == 4711);
  CHECK(middle[0] == 25 && middle[-5] == 0 && middle[5] == 100);
  sum = mix(mix_double(mix(sum, zeroes[(sum + 1) % 500]), real), aligned[0] ^ aligned[1]);
  return mix(sum, exported);
}

static NOINLINE uint64_t touch_local(uint64_t seed) {
  if (local_pointer == NULL)
    local_pointer = &local_sum;
  local_zero[seed % 9] += (uint32_t)seed;
  local_aligned = local_aligned * 0.25 + (double)(seed >> 52);
  *local_pointer = spread(*local_pointer + seed);
  local_word = words[local_sum % 5];
  CHECK((uintptr_t)&local_aligned % 64 == 0 && local_pointer == &local_sum);
  return mix_double(mix_bytes(local_sum, local_word, strlen(local_word)), local_aligned);
}

struct job {
  pthread_t thread;
  long rounds;
  uint64_t seed, sum;
};

static void *work(void *argument) {
  struct job *job = argument;
  CHECK(local_sum == 123456789 && local_zero[0] == 0 && local_pointer == NULL);
  job->sum = job->seed;
  for (long i = 0; i < job->rounds; i++)
    job->sum = mix(job->sum, touch_local(job->sum));
  return job;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 4000000);
  struct job jobs[THREADS];
  uint64_t sum = opaque(23);
  atexit(say_goodbye);
  for (uint64_t t = 0; t < THREADS; t++) {
    jobs[t] = (struct job){.rounds = rounds, .seed = t + 1};
    CHECK(pthread_create(&jobs[t].thread, NULL, work, &jobs[t]) == 0);
  }
  for (long i = 0; i < rounds; i++) {
    sum = walk_entries(sum);
    sum = touch_all(sum);
    sum = mix(sum, touch_local(sum));
    sum = mix(mix(sum, i % 64 == 0 ? ticket() : 0), other_ticket());
    progress("statics", i, rounds, sum);
  }
  for (int t = 0; t < THREADS; t++) {
    void *result;
    CHECK(pthread_join(jobs[t].thread, &result) == 0 && result == &jobs[t]);
    sum = mix(sum, jobs[t].sum);
  }
  return finish("statics", sum);
}
