/* latency THREADS compute|blocked: threads that compute without calls, or wait in a read that nothing ends. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int blocked, ends[2];
static volatile uint64_t kept[1024];

static void *work(void *argument) {
  uintptr_t n = (uintptr_t)argument;
  if (blocked) {
    char byte;
    return (void *)read(ends[0], &byte, 1);
  }
  for (uint64_t x = n + 1;;)
    for (int i = 0; i < 100000; i++) {
      x = x * 6364136223846793005u + 1442695040888963407u;
      if (x == 0) kept[n] = x;
    }
}

int main(int argc, char **argv) {
  if (argc != 3 || pipe(ends)) return 1;
  uintptr_t count = strtoul(argv[1], 0, 10);
  blocked = !strcmp(argv[2], "blocked");
  for (uintptr_t i = 1; i < count && i < 1024; i++) {
    pthread_t thread;
    if (pthread_create(&thread, 0, work, (void *)i)) return 1;
  }
  work(0);
}
