/* Device and inode numbers of files that are open, closed, renamed, copied, and made between migrations; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define DIRECTORY "kinds.inodes"
#define MOST_FILES 2048

struct identity {
  dev_t device;
  ino_t inode;
};

static struct identity files[MOST_FILES], directory;
static int first, directory_file;
static size_t count;

static struct identity identity_of(const struct stat *about) { return (struct identity){about->st_dev, about->st_ino}; }

static int same(struct identity a, struct identity b) { return a.device == b.device && a.inode == b.inode; }

static NOINLINE struct identity by_path(const char *path) {
  struct stat about;
  CHECK(stat(path, &about) == 0);
  return identity_of(&about);
}

static NOINLINE struct identity by_descriptor(int file) {
  struct stat about;
  CHECK(fstat(file, &about) == 0);
  return identity_of(&about);
}

static struct identity by_statx(int at, const char *name, int flags) {
  struct statx about;
  CHECK(statx(at, name, flags, STATX_INO, &about) == 0);
  return (struct identity){makedev(about.stx_dev_major, about.stx_dev_minor), about.stx_ino};
}

static const char *path_of(size_t number) {
  static char path[64];
  snprintf(path, sizeof path, DIRECTORY "/%zu", number);
  return path;
}

static void make_file(void) {
  int file = open(path_of(count), O_WRONLY | O_CREAT | O_EXCL, 0600);
  CHECK(count < MOST_FILES && file >= 0);
  files[count] = by_descriptor(file);
  CHECK(close(file) == 0);
  for (size_t i = 0; i < count; i++)
    CHECK(!same(files[i], files[count]));
  count++;
}

static void make_inodes(void) {
  CHECK(mkdir(DIRECTORY, 0700) == 0);
  directory = by_path(DIRECTORY);
  directory_file = open(DIRECTORY, O_RDONLY | O_DIRECTORY);
  make_file();
  first = open(path_of(0), O_RDWR);
  CHECK(first >= 0 && directory_file >= 0);
}

/* Every way to ask gives the same answer, also for names below a descriptor and for one that cannot be read from. */
static void ask_all_ways(void) {
  struct stat about;
  int path_only = open(path_of(0), O_PATH);
  CHECK(same(by_descriptor(first), files[0]) && same(by_descriptor(path_only), files[0]));
  CHECK(fstatat(directory_file, "0", &about, 0) == 0 && same(identity_of(&about), files[0]));
  CHECK(lstat(path_of(0), &about) == 0 && same(identity_of(&about), files[0]));
  CHECK(same(by_statx(AT_FDCWD, path_of(0), 0), files[0]) && same(by_statx(first, "", AT_EMPTY_PATH), files[0]));
  CHECK(same(by_path(DIRECTORY), directory) && same(by_descriptor(directory_file), directory));
  CHECK(close(path_only) == 0);
}

/* A copy with all attributes is another file. */
static void copy_with_attributes(void) {
  char names[256], value[256];
  const char *copy = DIRECTORY "/copy";
  int file = open(copy, O_WRONLY | O_CREAT | O_EXCL, 0600);
  ssize_t size = flistxattr(first, names, sizeof names);
  for (const char *name = names; name < names + size; name += strlen(name) + 1) {
    ssize_t length = fgetxattr(first, name, value, sizeof value);
    CHECK(length >= 0 && fsetxattr(file, name, value, (size_t)length, 0) == 0);
  }
  CHECK(!same(by_path(copy), files[0]) && same(by_path(copy), by_descriptor(file)));
  CHECK(close(file) == 0 && unlink(copy) == 0);
}

static uint64_t use_inodes(uint64_t round) {
  make_file();
  CHECK(rename(path_of(count - 1), DIRECTORY "/renamed") == 0);
  for (size_t i = 0; i < count - 1; i++)
    CHECK(same(by_path(path_of(i)), files[i]));
  CHECK(same(by_path(DIRECTORY "/renamed"), files[count - 1]) && rename(DIRECTORY "/renamed", path_of(count - 1)) == 0);
  ask_all_ways();
  copy_with_attributes();
  return round;
}

static void end_inodes(void) {
  for (size_t i = 0; i < count; i++)
    CHECK(same(by_path(path_of(i)), files[i]) && unlink(path_of(i)) == 0);
  CHECK(same(by_descriptor(first), files[0]) && close(first) == 0 && close(directory_file) == 0 && rmdir(DIRECTORY) == 0);
}

static const struct kind kinds[] = {
    {"inodes", make_inodes, use_inodes, end_inodes},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
