/* Stacks that grow beyond what the limit was when the program started, and threads with large ones; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <pthread.h>
#include <sys/resource.h>

#define FRAME (1 << 20)
#define LARGE ((size_t)64 << 20)

/* A frame of 1 MiB for each level, of which little is used. */
static NOINLINE uint64_t descend(int level, uint64_t sum) {
  volatile uint64_t frame[FRAME / sizeof sum];
  size_t mine = (size_t)level * 17 % (FRAME / sizeof sum);
  frame[mine] = sum;
  sum = level == 0 ? compute_in_frames(3, sum, 2000, kind_step) : descend(level - 1, mix_at_site(sum, (uint64_t)level));
  return mix_at_site(sum, frame[mine]);
}

/* --- stack: the main thread's, by setrlimit --------------------------------------------------------------------------- */

static void make_stack(void) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_STACK, &limit) == 0);
  CHECK(limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= LARGE);
  limit.rlim_cur = LARGE;
  CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
  descend(12, 1);
}

/* Now deeper than ever before, now not. */
static uint64_t use_stack(uint64_t round) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == LARGE);
  return descend(round % 2 ? 10 : 14 + (int)(round % 40), round);
}

static void end_stack(void) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_STACK, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
  descend(60, 1);
}

/* --- threadstack: a thread's, given with its attributes --------------------------------------------------------------- */

static pthread_t thread;
static int questions[2], answers[2];

static void *answer(void *unused) {
  uint64_t question;
  while (read(questions[0], &question, sizeof question) == sizeof question) {
    question = descend((int)(question % 50), question);
    CHECK(write(answers[1], &question, sizeof question) == sizeof question);
  }
  return unused;
}

static void make_threadstack(void) {
  pthread_attr_t attributes;
  CHECK(pipe(questions) == 0 && pipe(answers) == 0 && pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstacksize(&attributes, LARGE) == 0 && pthread_create(&thread, &attributes, answer, NULL) == 0);
  CHECK(pthread_attr_destroy(&attributes) == 0);
}

static uint64_t use_threadstack(uint64_t round) {
  CHECK(write(questions[1], &round, sizeof round) == sizeof round && read(answers[0], &round, sizeof round) == sizeof round);
  return round;
}

static void end_threadstack(void) {
  CHECK(close(questions[1]) == 0 && pthread_join(thread, NULL) == 0);
  CHECK(close(questions[0]) == 0 && close(answers[0]) == 0 && close(answers[1]) == 0);
}

static const struct kind kinds[] = {
    {"stack", make_stack, use_stack, end_stack},
    {"threadstack", make_threadstack, use_threadstack, end_threadstack},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
