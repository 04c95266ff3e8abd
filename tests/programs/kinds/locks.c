/* What threads and processes wait for and hold: robust and shared mutexes, conditions, barriers, semaphores; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

/* In memory that two processes share. */
struct shared {
  pthread_mutex_t robust, mutex;
  pthread_cond_t condition;
  pthread_barrier_t barrier;
  pthread_rwlock_t lock;
  sem_t go, ready;
  uint64_t turn, value;
};

static struct shared *shared;
static pid_t child;

static void *map_shared(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

/* --- shared: between processes; turns by a condition, meetings at a barrier ---------------------------------------------- */

static void initialise(void) {
  pthread_mutexattr_t mutex;
  pthread_condattr_t condition;
  pthread_barrierattr_t barrier;
  pthread_rwlockattr_t lock;
  CHECK(pthread_mutexattr_init(&mutex) == 0 && pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_mutex_init(&shared->mutex, &mutex) == 0);
  CHECK(pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&shared->robust, &mutex) == 0);
  CHECK(pthread_condattr_init(&condition) == 0 && pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_cond_init(&shared->condition, &condition) == 0);
  CHECK(pthread_barrierattr_init(&barrier) == 0 && pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_barrier_init(&shared->barrier, &barrier, 2) == 0);
  CHECK(pthread_rwlockattr_init(&lock) == 0 && pthread_rwlockattr_setpshared(&lock, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_rwlock_init(&shared->lock, &lock) == 0);
  CHECK(sem_init(&shared->go, 1, 0) == 0 && sem_init(&shared->ready, 1, 0) == 0);
}

static void await_turn(uint64_t parity) {
  CHECK(pthread_mutex_lock(&shared->mutex) == 0);
  while (shared->turn % 2 != parity)
    CHECK(pthread_cond_wait(&shared->condition, &shared->mutex) == 0);
}

static void end_turn(void) {
  shared->turn++;
  CHECK(pthread_cond_broadcast(&shared->condition) == 0 && pthread_mutex_unlock(&shared->mutex) == 0);
}

static void meet(void) {
  int result = pthread_barrier_wait(&shared->barrier);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

static _Noreturn void partner(void) {
  for (;;) {
    await_turn(1);
    uint64_t value = shared->value;
    shared->value = kind_step(value);
    end_turn();
    if (value == UINT64_MAX)
      _exit(8);
    meet();
    CHECK(pthread_rwlock_wrlock(&shared->lock) == 0 && pthread_rwlock_unlock(&shared->lock) == 0);
    CHECK(sem_post(&shared->ready) == 0);
  }
}

static void make_shared(void) {
  shared = map_shared(sizeof *shared);
  initialise();
  child = kind_fork();
  if (child == 0)
    partner();
  CHECK(pthread_rwlock_rdlock(&shared->lock) == 0);
}

static uint64_t use_shared(uint64_t round) {
  await_turn(0);
  shared->value = round;
  end_turn();
  meet();
  CHECK(sem_trywait(&shared->ready) < 0 && errno == EAGAIN); /* we hold the lock that the partner wants to write */
  CHECK(pthread_rwlock_unlock(&shared->lock) == 0);
  while (sem_wait(&shared->ready) != 0)
    CHECK(errno == EINTR);
  CHECK(pthread_rwlock_rdlock(&shared->lock) == 0);
  await_turn(0);
  uint64_t value = shared->value;
  CHECK(pthread_mutex_unlock(&shared->mutex) == 0 && value == kind_step(round));
  return value;
}

static void end_shared(void) {
  await_turn(0);
  shared->value = UINT64_MAX;
  end_turn();
  kind_reap(child, 8);
  CHECK(pthread_rwlock_unlock(&shared->lock) == 0 && munmap(shared, sizeof *shared) == 0);
}

/* --- robust: a thread, and a process, that end while they hold a mutex; the kernel tells the next owner --------------------------- */

static struct {
  pthread_mutex_t mutex;
  sem_t held, end;
} *owner;
static pthread_t holder;
static pid_t holding;

static void take_robust(void) {
  CHECK(pthread_mutex_lock(&owner->mutex) == 0 && sem_post(&owner->held) == 0);
  while (sem_wait(&owner->end) != 0)
    CHECK(errno == EINTR);
}

static void *die_in_thread(void *argument) {
  take_robust();
  return argument;
}

static void start_owner(bool is_thread) {
  holding = 0;
  if (is_thread)
    CHECK(pthread_create(&holder, NULL, die_in_thread, NULL) == 0);
  else if ((holding = kind_fork()) == 0) {
    take_robust();
    _exit(6);
  }
  while (sem_wait(&owner->held) != 0)
    CHECK(errno == EINTR);
}

static void end_owner(void) {
  CHECK(pthread_mutex_trylock(&owner->mutex) == EBUSY && sem_post(&owner->end) == 0);
  if (holding != 0)
    kind_reap(holding, 6);
  else
    CHECK(pthread_join(holder, NULL) == 0);
  CHECK(pthread_mutex_lock(&owner->mutex) == EOWNERDEAD && pthread_mutex_consistent(&owner->mutex) == 0);
  CHECK(pthread_mutex_unlock(&owner->mutex) == 0);
}

static void make_robust(void) {
  pthread_mutexattr_t attributes;
  owner = map_shared(sizeof *owner);
  CHECK(pthread_mutexattr_init(&attributes) == 0 && pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&owner->mutex, &attributes) == 0);
  CHECK(sem_init(&owner->held, 1, 0) == 0 && sem_init(&owner->end, 1, 0) == 0);
  start_owner(false);
}

static uint64_t use_robust(uint64_t round) {
  end_owner();
  start_owner(round % 2 == 0);
  return round;
}

static const struct kind kinds[] = {
    {"shared", make_shared, use_shared, end_shared},
    {"robust", make_robust, use_robust, end_owner},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
