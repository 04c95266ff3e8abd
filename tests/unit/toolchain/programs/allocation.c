/* malloc and its like: contents and alignment of blocks of all sizes, threads that free what others allocated and end, fork, what fails, and
 * that memory is given back. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 400
#define THREADS 4
#define TURNS 3000

typedef unsigned char byte;

struct block {
  byte *at;
  size_t size;
  byte mark;
};

static void require(int holds, const char *what) {
  if (holds)
    return;
  printf("%s\n", what);
  exit(1);
}

static unsigned next(unsigned *seed) { return (*seed = *seed * 1664525 + 1013904223) >> 8; }

static size_t some_size(unsigned *seed) {
  switch (next(seed) % 16) {
  case 0: return next(seed) % 300000;
  case 1:
  case 2: return next(seed) % 20000;
  default: return next(seed) % 500;
  }
}

static void check(const struct block *block) {
  for (size_t i = 0; i < block->size; i += block->size < 100 ? 1 : 61)
    require(block->at[i] == block->mark, "contents");
}

static void allocate(struct block *block, unsigned *seed) {
  size_t size = some_size(seed), alignment = (size_t)16 << next(seed) % 9;
  int zero = 0;
  switch (next(seed) % 4) {
  case 0: block->at = calloc(1, size), zero = 1; break;
  case 1: block->at = aligned_alloc(alignment, size); require((uintptr_t)block->at % alignment == 0, "alignment"); break;
  case 2: require(!posix_memalign((void **)&block->at, alignment, size), "posix_memalign"); break;
  default: block->at = malloc(size);
  }
  require(block->at && (uintptr_t)block->at % (size < 16 ? 8 : 16) == 0, "no block");
  require(malloc_usable_size(block->at) >= size, "malloc_usable_size");
  for (size_t i = 0; zero && i < size; i++)
    require(!block->at[i], "calloc");
  block->size = size;
  block->mark = (byte)next(seed);
  memset(block->at, block->mark, malloc_usable_size(block->at));
}

static void resize(struct block *block, unsigned *seed) {
  size_t size = some_size(seed) + 1, kept = size < block->size ? size : block->size;
  block->at = next(seed) % 2 ? realloc(block->at, size) : reallocarray(block->at, size, 1);
  require(block->at != NULL, "realloc");
  block->size = kept;
  check(block);
  memset(block->at, block->mark, size);
  block->size = size;
}

static struct block shared[THREADS][BLOCKS];
static pthread_barrier_t barrier;

/* Frees what its neighbour has allocated. */
static void *work(void *argument) {
  size_t number = (size_t)argument;
  unsigned seed = (unsigned)number + 1;
  struct block *own = shared[number];
  for (int i = 0; i < BLOCKS; i++)
    allocate(&own[i], &seed);
  for (int i = 0; i < TURNS; i++) {
    struct block *block = &own[next(&seed) % BLOCKS];
    check(block);
    if (next(&seed) % 3) {
      free(block->at);
      allocate(block, &seed);
    } else {
      resize(block, &seed);
    }
  }
  pthread_barrier_wait(&barrier);
  struct block *other = shared[(number + 1) % THREADS];
  for (int i = 0; i < BLOCKS; i++) {
    check(&other[i]);
    free(other[i].at);
  }
  return malloc(100); /* whoever joins frees it */
}

static void threads(void) {
  pthread_t handles[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (size_t i = 0; i < THREADS; i++)
    require(!pthread_create(&handles[i], NULL, work, (void *)i), "pthread_create");
  for (size_t i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(handles[i], &result);
    free(result);
  }
}

static void *busy(void *stop) {
  unsigned seed = 9;
  struct block block;
  while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
    allocate(&block, &seed);
    free(block.at);
  }
  return NULL;
}

static void forks(void) {
  int stop = 0;
  pthread_t other;
  require(!pthread_create(&other, NULL, busy, &stop), "pthread_create");
  for (int i = 0; i < 3; i++) {
    pid_t child = fork();
    if (!child) {
      unsigned seed = (unsigned)i;
      struct block blocks[50];
      for (int k = 0; k < 50; k++)
        allocate(&blocks[k], &seed);
      for (int k = 0; k < 50; k++) {
        check(&blocks[k]);
        free(blocks[k].at);
      }
      _exit(0);
    }
    int status = -1;
    require(waitpid(child, &status, 0) == child && !status, "child");
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  pthread_join(other, NULL);
}

static void failures(void) {
  void *(*volatile allocate_any)(size_t) = malloc; /* else the compiler takes success for granted */
  void *(*volatile allocate_zero)(size_t, size_t) = calloc;
  void *(*volatile resize_any)(void *, size_t) = realloc;
  void *(*volatile aligned)(size_t, size_t) = aligned_alloc;
  errno = 0;
  require(!allocate_any(SIZE_MAX - 100) && errno == ENOMEM, "too large");
  errno = 0;
  require(!allocate_any((size_t)1 << 60) && errno == ENOMEM, "more than there is");
  errno = 0;
  require(!allocate_zero(SIZE_MAX / 2, 3) && errno == ENOMEM, "calloc overflows");
  byte *block = malloc(10);
  memcpy(block, "untouched", 10);
  errno = 0;
  require(!resize_any(block, (size_t)1 << 60) && errno == ENOMEM && !memcmp(block, "untouched", 10), "realloc fails");
  require(!reallocarray(block, SIZE_MAX / 2, 3) && errno == ENOMEM, "reallocarray overflows");
  errno = 7;
  free(block);
  free(NULL);
  require(errno == 7, "free changes errno");
  void *unused;
  require(posix_memalign(&unused, 3, 10) == EINVAL, "posix_memalign");
  errno = 0;
  require(!aligned(48, 10) && errno == EINVAL, "aligned_alloc");
  void *first = malloc(0), *second = malloc(0);
  require(first && second && first != second, "malloc(0)");
  free(first);
  free(second);
}

static long resident(void) {
  long pages = 0, total;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file) {
    if (fscanf(file, "%ld %ld", &total, &pages) != 2)
      pages = 0;
    fclose(file);
  }
  return pages;
}

/* Large blocks come and go without growth. */
static void reuse(void) {
  long before = resident();
  for (int i = 0; i < 300; i++) {
    size_t size = ((size_t)1 << 20) + (size_t)(i % 7) * 100000;
    byte *block = malloc(size);
    memset(block, i, size);
    free(block);
  }
  require(resident() - before < 20000, "large blocks are not reused");
}

/* Memory that was used, wholly or here and there, comes back as zeros; of a small block, of one in which pages of zeros are left alone, and
 * around where the one becomes the other. */
static void zeros(void) {
  static const size_t sizes[] = {1, 17, 5000, 70000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 20) + 5000, 5 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (size_t step = 1; step < 20000; step = step * 9 + 4) {
      byte *block = malloc(sizes[i]);
      for (size_t k = step - 1; k < sizes[i]; k += step)
        block[k] = 0xff;
      block[sizes[i] - 1] = 0xff;
      __asm__ volatile("" : : "r"(block) : "memory"); /* else it is never filled */
      free(block);
      block = calloc(sizes[i], 1);
      for (size_t k = 0; k < sizes[i]; k++)
        require(!block[k], "calloc of what was used");
      free(block);
    }
}

int main(void) {
  failures();
  zeros();
  threads();
  threads();
  forks();
  reuse();
  puts("done");
  return 0;
}
