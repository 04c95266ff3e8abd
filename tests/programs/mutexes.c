/*
 * Mutexes while the process has one thread, when it gets a second, and when it has one again; held when a thread begins
 * and when the process forks; of every kind; and one that two processes of one thread share.
 */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS 64

struct shared {
  pthread_mutex_t mutex;
  long count;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long count, turn;

static void *add(void *unused) {
  for (int i = 0; i < TURNS; i++) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    count = (long)opaque((uint64_t)count) + 1;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  }
  return unused;
}

/* By one thread only: what a mutex of the kind says when it is taken twice, and by trylock. */
static uint64_t alone(int type, int robust) {
  pthread_mutexattr_t kind;
  pthread_mutex_t one;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_settype(&kind, type);
  pthread_mutexattr_setrobust(&kind, robust);
  CHECK(pthread_mutex_init(&one, &kind) == 0 && pthread_mutex_lock(&one) == 0);
  int again = pthread_mutex_trylock(&one);
  CHECK(type == PTHREAD_MUTEX_RECURSIVE ? again == 0 : again == EBUSY || again == EDEADLK); /* the latter is glibc's */
  if (again == 0)
    CHECK(pthread_mutex_unlock(&one) == 0);
  CHECK(pthread_mutex_unlock(&one) == 0 && pthread_mutex_trylock(&one) == 0 && pthread_mutex_trylock(&one) == again);
  if (again == 0)
    CHECK(pthread_mutex_unlock(&one) == 0);
  struct timespec past = {0, 0};
  if (type == PTHREAD_MUTEX_NORMAL)
    CHECK(pthread_mutex_timedlock(&one, &past) == ETIMEDOUT);
  CHECK(pthread_mutex_unlock(&one) == 0 && pthread_mutex_destroy(&one) == 0);
  return again == 0;
}

/* Locked by one thread, it is locked for the next one, too. */
static void handed_over(void) {
  pthread_t threads[2];
  count = 0;
  CHECK(pthread_mutex_lock(&mutex) == 0);
  for (int i = 0; i < 2; i++)
    CHECK(pthread_create(&threads[i], NULL, add, NULL) == 0);
  CHECK(count == 0);
  CHECK(pthread_mutex_unlock(&mutex) == 0);
  add(NULL);
  for (int i = 0; i < 2; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(count == 3 * TURNS);
  add(NULL);
  CHECK(count == 4 * TURNS);
}

static void *take_turn(void *unused) {
  CHECK(pthread_mutex_lock(&mutex) == 0);
  turn = 1;
  CHECK(pthread_cond_signal(&condition) == 0 && pthread_mutex_unlock(&mutex) == 0);
  return unused;
}

static void waited_for(void) {
  pthread_t thread;
  CHECK(pthread_mutex_lock(&mutex) == 0);
  turn = 0;
  CHECK(pthread_create(&thread, NULL, take_turn, NULL) == 0);
  while (turn == 0)
    CHECK(pthread_cond_wait(&condition, &mutex) == 0);
  CHECK(pthread_mutex_trylock(&mutex) == EBUSY && pthread_mutex_unlock(&mutex) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

/* No thread of either process is seen by the other. */
static void between_processes(struct shared *shared) {
  shared->count = 0;
  CHECK(pthread_mutex_lock(&mutex) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    CHECK(pthread_mutex_trylock(&mutex) == EBUSY);
  CHECK(pthread_mutex_unlock(&mutex) == 0);
  for (int i = 0; i < 4 * TURNS; i++) {
    CHECK(pthread_mutex_lock(&shared->mutex) == 0);
    long before = shared->count;
    for (volatile int wait = 0; wait < 20; wait++)
      ;
    shared->count = before + 1;
    CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
  }
  if (child == 0)
    _exit(0);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(shared->count == 8 * TURNS);
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 1000);
  struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  CHECK(pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_mutex_init(&shared->mutex, &kind) == 0);
  uint64_t sum = opaque(7);
  for (long i = 0; i < rounds; i++) {
    for (int robust = PTHREAD_MUTEX_STALLED; robust <= PTHREAD_MUTEX_ROBUST; robust++) {
      sum = mix(sum, alone(PTHREAD_MUTEX_NORMAL, robust));
      sum = mix(sum, alone(PTHREAD_MUTEX_RECURSIVE, robust));
      sum = mix(sum, alone(PTHREAD_MUTEX_ERRORCHECK, robust));
    }
    count = 0;
    add(NULL);
    handed_over();
    waited_for();
    between_processes(shared);
    progress("mutexes", i, rounds, sum);
  }
  return finish("mutexes", sum);
}
