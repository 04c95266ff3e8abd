/* Files in uncommon conditions: FIFOs, locks, deleted files, directories, special open flags; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void put(int file, uint64_t value) { CHECK(write(file, &value, sizeof value) == sizeof value); }

static uint64_t get(int file) {
  uint64_t value = 0;
  CHECK(read(file, &value, sizeof value) == sizeof value);
  return value;
}

/* --- fifo: some messages are in it at any time; its two ends have flags of their own -------------------------------- */

#define IN_FLIGHT 5

static int fifo_in, fifo_out;

static void make_fifo(void) {
  CHECK(mkfifo("kinds.fifo", 0600) == 0);
  fifo_in = open("kinds.fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  fifo_out = open("kinds.fifo", O_WRONLY);
  CHECK(fifo_in >= 0 && fifo_out >= 0);
  for (uint64_t i = 0; i < IN_FLIGHT; i++)
    put(fifo_out, i);
}

static uint64_t use_fifo(uint64_t round) {
  put(fifo_out, round + IN_FLIGHT);
  CHECK(get(fifo_in) == round);
  CHECK((fcntl(fifo_in, F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == (O_NONBLOCK | O_RDONLY));
  CHECK((fcntl(fifo_out, F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == O_WRONLY);
  return round;
}

static void end_fifo(void) {
  uint64_t value;
  for (int i = 0; i < IN_FLIGHT; i++)
    get(fifo_in);
  CHECK(read(fifo_in, &value, sizeof value) < 0 && errno == EAGAIN);
  CHECK(close(fifo_out) == 0 && close(fifo_in) == 0 && unlink("kinds.fifo") == 0);
}

/* --- locks: a child that is asked finds out what its parent holds ---------------------------------------------------------- */

/* What is locked is a file of each name: two ranges of it by fcntl, or all of it by flock. */
struct lock {
  const char *name;
  int command, ask[2], answer[2], file;
  pid_t asker;
};

static struct lock whole = {.name = "kinds.flock"}, of_process = {.name = "kinds.posix", .command = F_SETLK},
                   of_description = {.name = "kinds.ofd", .command = F_OFD_SETLK};

static struct flock range(short type, off_t start, off_t length) {
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static uint64_t answer_range(const struct lock *lock, int file, uint64_t at) {
  bool is_ofd = lock->command == F_OFD_SETLK;
  struct flock found = range(F_WRLCK, (off_t)at, 1);
  CHECK(fcntl(file, is_ofd ? F_OFD_GETLK : F_GETLK, &found) == 0);
  bool owner = found.l_type == F_UNLCK || found.l_pid == (is_ofd ? -1 : getppid());
  return (uint64_t)found.l_type << 32 | (uint64_t)found.l_len << 1 | owner;
}

static uint64_t answer_whole(const struct lock *lock) {
  int file = open(lock->name, O_RDWR);
  int result = flock(file, LOCK_EX | LOCK_NB);
  CHECK(result == 0 || errno == EWOULDBLOCK);
  CHECK(close(file) == 0);
  return result != 0;
}

static _Noreturn void answer(struct lock *lock) {
  uint64_t value;
  CHECK(close(lock->ask[1]) == 0 && close(lock->answer[0]) == 0 && close(lock->file) == 0);
  int file = open(lock->name, O_RDWR);
  while (read(lock->ask[0], &value, sizeof value) == sizeof value)
    put(lock->answer[1], lock->command ? answer_range(lock, file, value) : answer_whole(lock));
  _exit(3);
}

static void make_lock(struct lock *lock) {
  lock->file = open(lock->name, O_RDWR | O_CREAT, 0600);
  CHECK(lock->file >= 0 && ftruncate(lock->file, 1000) == 0);
  CHECK(pipe2(lock->ask, O_CLOEXEC) == 0 && pipe2(lock->answer, O_CLOEXEC) == 0);
  lock->asker = kind_fork();
  if (lock->asker == 0)
    answer(lock);
  CHECK(close(lock->ask[0]) == 0 && close(lock->answer[1]) == 0);
}

static uint64_t question(struct lock *lock, uint64_t value) {
  put(lock->ask[1], value);
  return get(lock->answer[0]);
}

static void end_lock(struct lock *lock) {
  CHECK(kill(lock->asker, SIGKILL) == 0 && waitpid(lock->asker, NULL, 0) == lock->asker);
  CHECK(close(lock->file) == 0 && close(lock->ask[1]) == 0 && close(lock->answer[0]) == 0 && unlink(lock->name) == 0);
}

#define EXPECTED(type, length) ((uint64_t)(type) << 32 | (uint64_t)(length) << 1 | 1)

static void make_ranges(struct lock *lock) {
  struct flock write_lock = range(F_WRLCK, 10, 20), read_lock = range(F_RDLCK, 100, 0);
  make_lock(lock);
  CHECK(fcntl(lock->file, lock->command, &write_lock) == 0 && fcntl(lock->file, lock->command, &read_lock) == 0);
}

static uint64_t use_ranges(struct lock *lock, uint64_t round) {
  struct flock more = range(round % 2 ? F_UNLCK : F_WRLCK, 40, 5);
  CHECK(question(lock, 15) == EXPECTED(F_WRLCK, 20) && question(lock, 200) == EXPECTED(F_RDLCK, 0));
  CHECK(question(lock, 5) == EXPECTED(F_UNLCK, 1));
  CHECK((question(lock, 42) == EXPECTED(F_WRLCK, 5)) == (round % 2));
  CHECK(fcntl(lock->file, lock->command, &more) == 0);
  return round % 2;
}

static void make_posix(void) { make_ranges(&of_process); }
static uint64_t use_posix(uint64_t round) { return use_ranges(&of_process, round); }
static void end_posix(void) { end_lock(&of_process); }
static void make_ofd(void) { make_ranges(&of_description); }
static uint64_t use_ofd(uint64_t round) { return use_ranges(&of_description, round); }
static void end_ofd(void) { end_lock(&of_description); }

static void make_flock(void) {
  make_lock(&whole);
  CHECK(flock(whole.file, LOCK_SH) == 0);
}

static uint64_t use_flock(uint64_t round) {
  static const int states[] = {LOCK_EX, LOCK_UN, LOCK_SH};
  CHECK(question(&whole, 0) == (round % 3 != 2));
  CHECK(flock(whole.file, states[round % 3]) == 0);
  return round % 3;
}

static void end_flock(void) { end_lock(&whole); }

/* --- deleted: files without a name, one never had any, one has got another file in its place; and one that is mapped -------------- */

#define GONE_SIZE (3 << 20) /* more than criu takes by default */

static int gone, replaced, unnamed;
static uint64_t *mapped;

static void make_deleted(void) {
  gone = open("kinds.gone", O_RDWR | O_CREAT | O_TRUNC, 0600);
  replaced = open("kinds.new", O_RDWR | O_CREAT | O_TRUNC, 0600);
  unnamed = open(".", O_TMPFILE | O_RDWR, 0600);
  CHECK(gone >= 0 && replaced >= 0 && unnamed >= 0 && ftruncate(gone, GONE_SIZE) == 0);
  mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, gone, 0);
  CHECK(mapped != MAP_FAILED && unlink("kinds.gone") == 0 && unlink("kinds.new") == 0);
  int other = open("kinds.new", O_RDWR | O_CREAT | O_EXCL, 0600);
  put(other, 4242);
  CHECK(other >= 0 && close(other) == 0);
}

static uint64_t use_deleted(uint64_t round) {
  struct stat status;
  uint64_t value;
  put(replaced, round);
  put(unnamed, round);
  CHECK(pread(replaced, &value, sizeof value, (off_t)round * 8) == 8 && value == round);
  CHECK(pread(unnamed, &value, sizeof value, (off_t)round * 8) == 8 && value == round);
  CHECK(fstat(replaced, &status) == 0 && status.st_nlink == 0 && status.st_size == (off_t)(round + 1) * 8);
  CHECK(fstat(gone, &status) == 0 && status.st_nlink == 0 && status.st_size == GONE_SIZE);
  CHECK(mapped[600] == round && pread(gone, &value, sizeof value, 4800) == 8 && value == round);
  mapped[600] = round + 1;
  return value;
}

static void end_deleted(void) {
  int other = open("kinds.new", O_RDONLY);
  CHECK(get(other) == 4242 && close(other) == 0 && unlink("kinds.new") == 0);
  CHECK(close(gone) == 0 && close(replaced) == 0 && close(unnamed) == 0 && munmap(mapped, 8192) == 0);
}

/* --- linked: a file that was opened by a name that is removed, while another is left; and one whose directory has another name now --- */

static int linked, moved;

static void make_linked(void) {
  linked = open("kinds.first", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(linked >= 0 && link("kinds.first", "kinds.second") == 0 && unlink("kinds.first") == 0);
  CHECK(mkdir("kinds.before", 0700) == 0);
  moved = open("kinds.before/file", O_RDWR | O_CREAT, 0600);
  CHECK(moved >= 0 && rename("kinds.before", "kinds.after") == 0);
}

static int count_names(void) {
  int count = 0;
  DIR *here = opendir(".");
  for (struct dirent *entry; (entry = readdir(here));)
    count += strncmp(entry->d_name, "link_remap", 10) == 0;
  CHECK(closedir(here) == 0);
  return count;
}

static uint64_t use_linked(uint64_t round) {
  struct stat status, by_name;
  uint64_t value;
  int other = open("kinds.second", O_RDWR), again = open("kinds.after/file", O_RDONLY);
  put(linked, round);
  put(moved, round);
  CHECK(pread(other, &value, sizeof value, (off_t)round * 8) == 8 && value == round);
  CHECK(pread(again, &value, sizeof value, (off_t)round * 8) == 8 && value == round);
  CHECK(fstat(linked, &status) == 0 && fstat(other, &by_name) == 0);
  CHECK(status.st_nlink == 1 && status.st_ino == by_name.st_ino && status.st_dev == by_name.st_dev);
  CHECK(access("kinds.first", F_OK) < 0 && count_names() == 0 && close(other) == 0 && close(again) == 0);
  return value;
}

static void end_linked(void) {
  CHECK(unlink("kinds.second") == 0 && unlink("kinds.after/file") == 0 && rmdir("kinds.after") == 0);
  CHECK(close(linked) == 0 && close(moved) == 0);
}

/* --- flags: open(2) flags of every kind, a directory and its position, a descriptor that is only a place ------------------------- */

static const struct {
  int flags;
  const char *name;
} opened[] = {
    {O_RDONLY | O_DIRECTORY, "kinds.dir"},     {O_RDONLY | O_NOFOLLOW, "kinds.dir/a"}, {O_PATH | O_CLOEXEC, "kinds.dir/a"},
    {O_WRONLY | O_APPEND | O_SYNC, "kinds.dir/a"}, {O_RDWR | O_NOATIME, "kinds.dir/a"},    {O_RDONLY | O_NONBLOCK, "kinds.dir"},
    {O_PATH | O_DIRECTORY, "kinds.dir"},       {O_RDWR | O_DSYNC | O_ASYNC, "kinds.dir/a"},
};
#define OPENED (sizeof opened / sizeof *opened)

static int descriptors[OPENED], found[OPENED];
static DIR *directory;

static void make_flags(void) {
  CHECK(mkdir("kinds.dir", 0700) == 0);
  for (const char *name = "abcdefgh"; *name; name++) {
    char path[] = "kinds.dir/?";
    path[sizeof path - 2] = *name;
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(file >= 0 && close(file) == 0);
  }
  for (size_t i = 0; i < OPENED; i++) {
    descriptors[i] = open(opened[i].name, opened[i].flags);
    CHECK(descriptors[i] >= 0);
    found[i] = fcntl(descriptors[i], F_GETFL);
  }
  directory = opendir("kinds.dir");
  CHECK(directory != NULL);
}

static uint64_t use_flags(uint64_t round) {
  int entries = 0;
  for (size_t i = 0; i < OPENED; i++) {
    CHECK((fcntl(descriptors[i], F_GETFL) | O_DIRECTORY) == (found[i] | O_DIRECTORY)); /* criu opens files without that flag */
    CHECK(fcntl(descriptors[i], F_GETFD) == (opened[i].flags & O_CLOEXEC ? FD_CLOEXEC : 0));
  }
  int file = openat(descriptors[round % 2 ? 0 : 6], "b", O_RDONLY);
  CHECK(file >= 0 && close(file) == 0);
  put(descriptors[3], round);
  struct stat status;
  CHECK(fstat(descriptors[2], &status) == 0 && status.st_size == (off_t)(round + 1) * 8);
  while (readdir(directory) != NULL)
    entries++;
  CHECK(entries == 10);
  rewinddir(directory);
  return (uint64_t)entries;
}

static void end_flags(void) {
  CHECK(closedir(directory) == 0);
  for (size_t i = 0; i < OPENED; i++)
    CHECK(close(descriptors[i]) == 0);
  for (const char *name = "abcdefgh"; *name; name++) {
    char path[] = "kinds.dir/?";
    path[sizeof path - 2] = *name;
    CHECK(unlink(path) == 0);
  }
  CHECK(rmdir("kinds.dir") == 0);
}

static const struct kind kinds[] = {
    {"fifo", make_fifo, use_fifo, end_fifo},
    {"flock", make_flock, use_flock, end_flock},
    {"posix-lock", make_posix, use_posix, end_posix},
    {"ofd-lock", make_ofd, use_ofd, end_ofd},
    {"deleted", make_deleted, use_deleted, end_deleted},
    {"linked", make_linked, use_linked, end_linked},
    {"flags", make_flags, use_flags, end_flags},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
