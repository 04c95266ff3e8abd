/* What only a privileged process can be: real-time scheduling, protection from the OOM killer, a root directory of its own; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* --- realtime ------------------------------------------------------------------------------------------------------- */

static void make_realtime(void) {
  struct sched_param parameter = {.sched_priority = 7};
  CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &parameter) == 0); /* see identity in attributes.c */
}

static uint64_t use_realtime(uint64_t round) {
  struct sched_param parameter = {0};
  CHECK(syscall(SYS_sched_getscheduler, 0) == SCHED_RR && syscall(SYS_sched_getparam, 0, &parameter) == 0);
  CHECK(parameter.sched_priority == 7);
  return round;
}

static void end_realtime(void) {}

/* --- oom ------------------------------------------------------------------------------------------------------------- */

static const char score_file[] = "/proc/self/oom_score_adj";

static void make_oom(void) {
  int file = open(score_file, O_WRONLY);
  CHECK(file >= 0 && write(file, "-321", 4) == 4 && close(file) == 0);
}

static uint64_t use_oom(uint64_t round) {
  char text[16] = {0};
  int file = open(score_file, O_RDONLY);
  CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0 && close(file) == 0 && atoi(text) == -321);
  return round;
}

static void end_oom(void) {}

/* --- chroot: last, for there is no way back -------------------------------------------------------------------------- */

static void make_chroot(void) {
  CHECK(mkdir("kinds.root", 0700) == 0 && mkdir("kinds.root/inner", 0700) == 0);
  CHECK(chroot("kinds.root") == 0 && chdir("/inner") == 0);
}

static uint64_t use_chroot(uint64_t round) {
  char directory[100];
  CHECK(getcwd(directory, sizeof directory) != NULL && strcmp(directory, "/inner") == 0 && access("/proc", F_OK) < 0);
  int file = open("/inner/file", O_CREAT | O_RDWR, 0600);
  CHECK(file >= 0 && close(file) == 0 && unlink("file") == 0);
  return round;
}

static void end_chroot(void) { CHECK(chdir("/") == 0 && rmdir("inner") == 0); }

static const struct kind kinds[] = {
    {"realtime", make_realtime, use_realtime, end_realtime},
    {"oom", make_oom, use_oom, end_oom},
    {"chroot", make_chroot, use_chroot, end_chroot},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
