/*
 * Four threads that share mutexes, condition variables, a barrier, a read-write lock, semaphores, a spin lock,
 * atomics, thread-local and thread-specific data; and short-lived threads beside them. The totals do not depend on
 * who comes first. Usage: threads [rounds]
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "program.h"

#define THREADS 4
#define QUEUE 5

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_spinlock_t spin;
static pthread_barrier_t barrier;
static pthread_key_t key;
static sem_t semaphore;

static uint64_t guarded_sum, spun_sum, written;
static unsigned initialisations, destructions;
static atomic_ullong atomic_sum;
static atomic_int atomic_max;

static _Thread_local uint64_t local_sum;
static _Thread_local unsigned local_id;

struct job {
  pthread_t thread;
  unsigned id;
  long rounds;
  uint64_t sum;
};

/* A queue of a few places between the threads: each puts to its right neighbour and takes from its own. */
struct queue {
  pthread_mutex_t mutex;
  pthread_cond_t not_empty, not_full;
  uint64_t items[QUEUE];
  unsigned count, first;
};

static struct queue queues[THREADS];

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 73); }

static NOINLINE uint64_t work(unsigned depth, uint64_t sum) {
  if (depth == 0)
    return sum;
  uint64_t kept = step(sum);
  return mix(work(depth - 1, kept), kept);
}

static void initialise(void) { initialisations++; }

static void destroy(void *value) {
  CHECK(*(uint64_t *)value == UINT64_C(0x123456789abcdef));
  free(value);
  pthread_mutex_lock(&mutex);
  destructions++;
  pthread_mutex_unlock(&mutex);
}

static NOINLINE void put(struct queue *queue, uint64_t item) {
  pthread_mutex_lock(&queue->mutex);
  while (queue->count == QUEUE)
    pthread_cond_wait(&queue->not_full, &queue->mutex);
  queue->items[(queue->first + queue->count++) % QUEUE] = item;
  pthread_cond_signal(&queue->not_empty);
  pthread_mutex_unlock(&queue->mutex);
}

static NOINLINE uint64_t take(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  while (queue->count == 0)
    pthread_cond_wait(&queue->not_empty, &queue->mutex);
  uint64_t item = queue->items[queue->first];
  queue->first = (queue->first + 1) % QUEUE;
  queue->count--;
  pthread_cond_signal(&queue->not_full);
  pthread_mutex_unlock(&queue->mutex);
  return item;
}

/* Adds to everything shared; additions commute, so the order of the threads does not show. */
static NOINLINE void add_shared(uint64_t value) {
  pthread_mutex_lock(&mutex);
  uint64_t before = guarded_sum;
  guarded_sum = before + work(3, value);
  pthread_mutex_unlock(&mutex);
  pthread_spin_lock(&spin);
  spun_sum += value;
  pthread_spin_unlock(&spin);
  atomic_fetch_add(&atomic_sum, value);
  int mine = (int)(value >> 40), seen = atomic_load(&atomic_max);
  while (mine > seen && !atomic_compare_exchange_weak(&atomic_max, &seen, mine))
    ;
  CHECK(sem_wait(&semaphore) == 0);
  local_sum = step(local_sum + value);
  CHECK(sem_post(&semaphore) == 0);
}

/* One thread writes in turn, then all read the same. */
static NOINLINE uint64_t write_and_read(unsigned id, long round, uint64_t value) {
  if (round % THREADS == id) {
    pthread_rwlock_wrlock(&lock);
    written = value;
    pthread_rwlock_unlock(&lock);
  }
  pthread_barrier_wait(&barrier);
  pthread_rwlock_rdlock(&lock);
  uint64_t read = written;
  pthread_rwlock_unlock(&lock);
  pthread_barrier_wait(&barrier);
  return read;
}

/* A thread that lives for a moment; its result is a pointer in disguise. */
static void *short_life(void *argument) {
  CHECK(local_sum == 0 && pthread_getspecific(key) == NULL);
  local_sum = work(10, (uintptr_t)argument);
  return (void *)(uintptr_t)local_sum;
}

static NOINLINE uint64_t spawn_and_join(uint64_t seed) {
  pthread_t thread;
  void *result;
  CHECK(pthread_create(&thread, NULL, short_life, (void *)(uintptr_t)(seed | 1)) == 0);
  CHECK(pthread_join(thread, &result) == 0);
  CHECK((uintptr_t)result == work(10, seed | 1));
  return (uintptr_t)result;
}

static void *run(void *argument) {
  struct job *job = argument;
  uint64_t *specific = malloc(sizeof *specific);
  CHECK(specific != NULL);
  *specific = UINT64_C(0x123456789abcdef);
  CHECK(pthread_setspecific(key, specific) == 0);
  pthread_once(&once, initialise);
  local_id = job->id;
  local_sum = job->id + 1;
  for (long i = 0; i < job->rounds; i++) {
    errno = (int)job->id + 1;
    add_shared(mix(job->sum, (uint64_t)i) >> 8);
    put(&queues[(job->id + 1) % THREADS], local_sum);
    job->sum = mix(job->sum, take(&queues[job->id]));
    job->sum = mix(job->sum, write_and_read(job->id, i, job->sum));
    CHECK(errno == (int)job->id + 1); /* a successful pthread_create may change it: C11, 7.5 */
    if (i % 100 == job->id)
      job->sum = mix(job->sum, spawn_and_join(job->sum));
    CHECK(local_id == job->id && pthread_getspecific(key) == specific);
    if (job->id == 0)
      progress("threads", i, job->rounds, job->sum);
  }
  job->sum = mix(job->sum, local_sum);
  return job;
}

static NOINLINE void prepare(void) {
  CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
  CHECK(pthread_key_create(&key, destroy) == 0);
  CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
  CHECK(sem_init(&semaphore, 0, 2) == 0);
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_mutex_init(&queues[i].mutex, NULL) == 0);
    CHECK(pthread_cond_init(&queues[i].not_empty, NULL) == 0);
    CHECK(pthread_cond_init(&queues[i].not_full, NULL) == 0);
  }
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 30000);
  struct job jobs[THREADS];
  prepare();
  for (unsigned i = 0; i < THREADS; i++) {
    jobs[i] = (struct job){.id = i, .rounds = rounds, .sum = opaque(i)};
    CHECK(pthread_create(&jobs[i].thread, NULL, run, &jobs[i]) == 0);
  }
  uint64_t sum = 0;
  for (unsigned i = 0; i < THREADS; i++) {
    void *result;
    CHECK(pthread_join(jobs[i].thread, &result) == 0 && result == &jobs[i]);
    sum = mix(sum, jobs[i].sum);
  }
  CHECK(initialisations == 1 && destructions == THREADS);
  sum = mix(mix(mix(sum, guarded_sum), spun_sum), atomic_load(&atomic_sum));
  return finish("threads", mix(sum, (uint64_t)atomic_load(&atomic_max)));
}
