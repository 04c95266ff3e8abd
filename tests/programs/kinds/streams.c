/* Directories that are read while the program moves: each name comes once, whatever the order on the other file system; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#define DIRECTORY "kinds.streams"
#define COUNT 300
#define READ_IN_A_ROUND 11

static DIR *slow, *marked;
static int seen[COUNT];
static long mark;
static char behind_mark[NAME_MAX + 1];

static const char *path_of(int number) {
  static char path[64];
  snprintf(path, sizeof path, DIRECTORY "/%d/entry-%d", number % 2, number);
  return path;
}

static void make_file(int number) {
  int file = open(path_of(number), O_WRONLY | O_CREAT | O_EXCL, 0600);
  CHECK(file >= 0 && close(file) == 0);
}

/* The next name but for . and .., or null. */
static struct dirent *next(DIR *stream) {
  struct dirent *entry;
  do {
    errno = 0;
    entry = readdir(stream);
    CHECK(errno == 0);
  } while (entry && entry->d_name[0] == '.');
  return entry;
}

static void make_streams(void) {
  CHECK(mkdir(DIRECTORY, 0700) == 0 && mkdir(DIRECTORY "/0", 0700) == 0 && mkdir(DIRECTORY "/1", 0700) == 0);
  for (int i = 0; i < COUNT; i++)
    make_file(i);
  slow = opendir(DIRECTORY "/0");
  marked = fdopendir(open(DIRECTORY "/1", O_RDONLY | O_DIRECTORY));
  CHECK(slow && marked);
  for (int i = 0; i < COUNT / 4; i++)
    CHECK(next(marked));
  mark = telldir(marked);
  strcpy(behind_mark, next(marked)->d_name);
}

/* Some names of the stream that is read slowly. */
static NOINLINE void read_some(int most) {
  struct dirent *entry;
  while (most-- > 0 && (entry = next(slow)))
    seen[atoi(strchr(entry->d_name, '-') + 1)]++;
}

static void come_back_to_the_mark(void) {
  struct dirent *entry;
  seekdir(marked, mark);
  CHECK(telldir(marked) == mark);
  CHECK((entry = next(marked)) && strcmp(entry->d_name, behind_mark) == 0);
}

/* A stream that begins anew shows what has changed. */
static void rewind_it(void) {
  struct dirent *entry;
  bool found = false;
  DIR *stream = opendir(DIRECTORY "/0");
  CHECK(stream && next(stream));
  CHECK(mkdir(DIRECTORY "/0/added", 0700) == 0);
  rewinddir(stream);
  while ((entry = next(stream)))
    found |= strcmp(entry->d_name, "added") == 0;
  CHECK(found && closedir(stream) == 0 && rmdir(DIRECTORY "/0/added") == 0);
}

static uint64_t walked;
static int visits;

static int visit(const char *path, const struct stat *about, int type, struct FTW *place) {
  CHECK((type == FTW_F) == (S_ISREG(about->st_mode)) && place->level <= 2);
  if (type == FTW_F) {
    visits++;
    walked += kind_step((uint64_t)atoi(strrchr(path, '-') + 1)); /* the sum must not depend on the order */
  }
  return 0;
}

static int choose(const struct dirent *entry) { return entry->d_name[0] != '.' && kind_step(1) != 0; }

static int by_number(const struct dirent **a, const struct dirent **b) {
  return atoi(strchr((*a)->d_name, '-') + 1) - atoi(strchr((*b)->d_name, '-') + 1);
}

static void scan(void) {
  struct dirent **names;
  CHECK(scandir(DIRECTORY "/1", &names, choose, by_number) == COUNT / 2);
  for (int i = 0; i < COUNT / 2; i++) {
    CHECK(atoi(strchr(names[i]->d_name, '-') + 1) == 2 * i + 1);
    free(names[i]);
  }
  free(names);
}

static uint64_t use_streams(uint64_t round) {
  read_some(READ_IN_A_ROUND);
  come_back_to_the_mark();
  rewind_it();
  visits = 0;
  walked = 0;
  CHECK(nftw(DIRECTORY, visit, 8, FTW_PHYS) == 0 && visits == COUNT);
  scan();
  return mix(round, walked);
}

static void end_streams(void) {
  read_some(COUNT);
  CHECK(!next(slow) && closedir(slow) == 0 && closedir(marked) == 0);
  for (int i = 0; i < COUNT; i++)
    CHECK(seen[i] == (i % 2 == 0) && unlink(path_of(i)) == 0);
  CHECK(rmdir(DIRECTORY "/0") == 0 && rmdir(DIRECTORY "/1") == 0 && rmdir(DIRECTORY) == 0);
}

static const struct kind kinds[] = {
    {"streams", make_streams, use_streams, end_streams},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
