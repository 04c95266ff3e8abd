/*
 * Makes tests/data/small.tar.xz: a process with two frames, a stack object, a thread that waits, and values of several kinds, to be
 * stopped anywhere in `work`. Usage: small
 */
#include <pthread.h>
#include <unistd.h>

static void *waits(void *shared) {
  pthread_mutex_lock(shared);
  return shared;
}

__attribute__((noinline)) static double work(int depth, double sum, long *count) {
  long own[4] = {depth, *count, 3, 4};
  if (depth)
    return work(depth - 1, sum + 0.5, own) + own[2];
  for (;;) {
    ++*count;
    sum += *count;
    usleep(1000);
    if (sum < 0)
      return sum;
  }
}

int main(void) {
  static pthread_mutex_t mutex;
  pthread_t thread;
  long count = 0;
  pthread_mutex_lock(&mutex);
  pthread_create(&thread, 0, waits, &mutex);
  return (int)work(5, 1.5, &count);
}
