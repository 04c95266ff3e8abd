/* Shared memory and semaphores that have names (shm_open, sem_open): open, open by nobody just now, and removed; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define WORDS 4096 /* several pages, of which some are never touched */

/* The node's /dev/shm may be everybody's: names of our own. */
static const char *name_of(const char *what) {
  static char name[64];
  snprintf(name, sizeof name, "/kinds-%s-%d", what, (int)getpid());
  return name;
}

static uint64_t *open_segment(const char *name, int flags) {
  int file = shm_open(name, flags | O_RDWR, 0640);
  CHECK(file >= 0 && (!(flags & O_CREAT) || ftruncate(file, WORDS * sizeof(uint64_t)) == 0));
  struct stat status;
  CHECK(fstat(file, &status) == 0 && status.st_size == WORDS * sizeof(uint64_t) && (status.st_mode & 0777) == 0640);
  uint64_t *words = mmap(NULL, WORDS * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(words != MAP_FAILED && close(file) == 0);
  return words;
}

static void close_segment(uint64_t *words) { CHECK(munmap(words, WORDS * sizeof *words) == 0); }

static void wait_for(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0)
    CHECK(errno == EINTR);
}

static sem_t *open_semaphore(const char *name, int flags) {
  sem_t *semaphore = sem_open(name, flags, 0600, 0);
  CHECK(semaphore != SEM_FAILED);
  return semaphore;
}

/* --- named: a child waits for a semaphore while the tree moves, and answers in memory that it has opened by itself ----------- */

static uint64_t *segment;
static sem_t *go, *ready;
static pid_t child;

static _Noreturn void answer(const char *name) {
  uint64_t *words = open_segment(name, 0);
  for (;;) {
    wait_for(go);
    words[WORDS - 1] = kind_step(words[0]);
    if (words[0] == UINT64_MAX)
      _exit(8);
    CHECK(sem_post(ready) == 0);
  }
}

static void make_named(void) {
  segment = open_segment(name_of("segment"), O_CREAT | O_EXCL);
  go = open_semaphore(name_of("go"), O_CREAT | O_EXCL);
  ready = open_semaphore(name_of("ready"), O_CREAT | O_EXCL);
  const char *name = name_of("segment");
  child = kind_fork();
  if (child == 0)
    answer(name);
}

static uint64_t use_named(uint64_t round) {
  segment[0] = round + 1;
  CHECK(sem_post(go) == 0);
  wait_for(ready);
  sem_t *same = open_semaphore(name_of("go"), 0);
  CHECK(same == go && sem_close(same) == 0);
  uint64_t *again = open_segment(name_of("segment"), 0);
  CHECK(again[WORDS - 1] == kind_step(round + 1) && again[WORDS / 2] == 0);
  close_segment(again);
  return segment[WORDS - 1];
}

static void end_named(void) {
  segment[0] = UINT64_MAX;
  CHECK(sem_post(go) == 0);
  kind_reap(child, 8);
  CHECK(sem_close(go) == 0 && sem_close(ready) == 0 && sem_unlink(name_of("go")) == 0 && sem_unlink(name_of("ready")) == 0);
  close_segment(segment);
  CHECK(shm_unlink(name_of("segment")) == 0);
}

/* --- closed: nobody has them open or mapped between two rounds ---------------------------------------------------------------- */

static void make_closed(void) {
  close_segment(open_segment(name_of("closed"), O_CREAT | O_EXCL));
  CHECK(sem_close(open_semaphore(name_of("count"), O_CREAT | O_EXCL)) == 0);
}

static uint64_t use_closed(uint64_t round) {
  int value;
  uint64_t *words = open_segment(name_of("closed"), 0), before = words[7];
  sem_t *count = open_semaphore(name_of("count"), 0);
  CHECK(before == round && sem_getvalue(count, &value) == 0 && (uint64_t)value == round);
  words[7]++;
  CHECK(sem_post(count) == 0 && sem_close(count) == 0);
  close_segment(words);
  return before;
}

static void end_closed(void) {
  CHECK(sem_unlink(name_of("count")) == 0 && shm_unlink(name_of("closed")) == 0);
  CHECK(shm_open(name_of("closed"), O_RDWR, 0) < 0 && errno == ENOENT);
}

/* --- removed: the name is gone, and the memory is there ------------------------------------------------------------------------- */

static uint64_t *removed;

static void make_removed(void) {
  removed = open_segment(name_of("removed"), O_CREAT | O_EXCL);
  CHECK(shm_unlink(name_of("removed")) == 0);
}

static uint64_t use_removed(uint64_t round) {
  uint64_t *word = removed + round * 97 % WORDS, before = *word;
  CHECK(shm_open(name_of("removed"), O_RDWR, 0) < 0 && errno == ENOENT);
  *word = kind_step(before + round);
  return *word;
}

static void end_removed(void) { close_segment(removed); }

static const struct kind kinds[] = {
    {"named", make_named, use_named, end_named},
    {"closed", make_closed, use_closed, end_closed},
    {"removed", make_removed, use_removed, end_removed},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
