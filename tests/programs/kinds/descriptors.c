/* Descriptors that are no files: eventfd, signalfd, timerfd, epoll, inotify, memfd; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define READERS 3

static uint64_t read_u64(int descriptor) {
  uint64_t value = 0;
  CHECK(read(descriptor, &value, sizeof value) == sizeof value);
  return value;
}

static void write_u64(int descriptor, uint64_t value) {
  CHECK(write(descriptor, &value, sizeof value) == sizeof value);
}

/* --- eventfd: a counter that is never empty; the flags stay --------------------------------------------------------- */

static int counter;

static void make_eventfd(void) {
  counter = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC);
  CHECK(counter >= 0);
}

static uint64_t use_eventfd(uint64_t round) {
  write_u64(counter, round + 1);
  uint64_t sum = read_u64(counter), none;
  CHECK(sum == round + 1 + (round == 0 ? 5 : 3));
  CHECK(read(counter, &none, sizeof none) < 0 && errno == EAGAIN);
  CHECK((fcntl(counter, F_GETFL) & O_NONBLOCK) && fcntl(counter, F_GETFD) == FD_CLOEXEC);
  write_u64(counter, 3);
  return sum;
}

static void end_eventfd(void) { CHECK(close(counter) == 0); }

/* --- signalfd: signals of two kinds wait in it ----------------------------------------------------------------------- */

static int signals;

static void queue_signal(int value) { CHECK(sigqueue(getpid(), SIGRTMIN + 4, (union sigval){.sival_int = value}) == 0); }

static void make_signalfd(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 4);
  sigaddset(&set, SIGUSR1);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(signals >= 0);
  for (int i = 0; i < READERS; i++)
    queue_signal(i);
}

static uint64_t use_signalfd(uint64_t round) {
  struct signalfd_siginfo info;
  queue_signal((int)round + READERS);
  CHECK(kill(getpid(), SIGUSR1) == 0);
  CHECK(read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
  CHECK(read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == (uint32_t)SIGRTMIN + 4);
  CHECK(info.ssi_code == SI_QUEUE && info.ssi_int == (int)round && info.ssi_pid == (uint32_t)getpid());
  CHECK((fcntl(signals, F_GETFL) & O_NONBLOCK) && fcntl(signals, F_GETFD) == FD_CLOEXEC);
  return (uint64_t)info.ssi_int;
}

static void end_signalfd(void) {
  struct signalfd_siginfo info;
  for (int i = 0; i < READERS; i++)
    CHECK(read(signals, &info, sizeof info) == sizeof info);
  CHECK(read(signals, &info, sizeof info) < 0 && errno == EAGAIN);
}

/* --- timerfd: one that ticks, one that has expired unread, one that is far away ------------------------------------------ */

static int ticking, expired, far;

static int timer(int clock, int flags, long value, long interval) {
  int descriptor = timerfd_create(clock, flags);
  struct itimerspec spec = {{interval / 1000, interval % 1000 * 1000000}, {value / 1000, value % 1000 * 1000000}};
  CHECK(descriptor >= 0 && timerfd_settime(descriptor, 0, &spec, NULL) == 0);
  return descriptor;
}

static void make_timerfd(void) {
  ticking = timer(CLOCK_MONOTONIC, TFD_CLOEXEC, 3, 3);
  expired = timer(CLOCK_BOOTTIME, TFD_NONBLOCK, 1, 0);
  far = timer(CLOCK_REALTIME, 0, 100000000, 7000);
  kind_sleep(5);
}

static uint64_t use_timerfd(uint64_t round) {
  struct itimerspec spec;
  CHECK(read_u64(ticking) >= 1);
  CHECK(timerfd_gettime(ticking, &spec) == 0 && spec.it_interval.tv_nsec == 3000000 && spec.it_interval.tv_sec == 0);
  CHECK(timerfd_gettime(far, &spec) == 0 && spec.it_interval.tv_sec == 7);
  CHECK(spec.it_value.tv_sec > 90000 && spec.it_value.tv_sec <= 100000);
  return round;
}

static void end_timerfd(void) {
  uint64_t value;
  CHECK(read_u64(expired) == 1);
  CHECK(read(expired, &value, sizeof value) < 0 && errno == EAGAIN);
  CHECK(close(ticking) == 0 && close(expired) == 0 && close(far) == 0);
}

/* --- epoll: several descriptors with data of 64 bits; level, edge and one-shot; one epoll within another -------------------- */

#define DATA(i) (UINT64_C(0xfeedfacecafe0000) + (uint64_t)(i))

static int inner, outer, pipes[READERS][2];
static const uint32_t modes[READERS] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};

static void add(int epoll, int descriptor, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

static void make_epoll(void) {
  inner = epoll_create1(EPOLL_CLOEXEC);
  outer = epoll_create1(0);
  CHECK(inner >= 0 && outer >= 0);
  for (int i = 0; i < READERS; i++) {
    CHECK(pipe(pipes[i]) == 0);
    add(inner, pipes[i][0], modes[i], DATA(i));
  }
  add(outer, inner, EPOLLIN, DATA(99));
}

static uint64_t use_epoll(uint64_t round) {
  struct epoll_event got[READERS + 1];
  int which = (int)(round % READERS);
  CHECK(epoll_wait(outer, got, 1, 0) == 0);
  write_u64(pipes[which][1], round);
  CHECK(epoll_wait(outer, got, 2, 1000) == 1 && got[0].data.u64 == DATA(99));
  CHECK(epoll_wait(inner, got, READERS + 1, 1000) == 1);
  CHECK(got[0].data.u64 == DATA(which) && got[0].events == EPOLLIN);
  CHECK(epoll_wait(inner, got, READERS + 1, 0) == (which == 0));
  CHECK(read_u64(pipes[which][0]) == round);
  if (which == 2) {
    struct epoll_event again = {.events = modes[which], .data.u64 = DATA(which)};
    write_u64(pipes[which][1], round);
    CHECK(epoll_wait(inner, got, 1, 0) == 0); /* it was told once */
    CHECK(read_u64(pipes[which][0]) == round);
    CHECK(epoll_ctl(inner, EPOLL_CTL_MOD, pipes[which][0], &again) == 0);
  }
  return got[0].data.u64;
}

static void end_epoll(void) {
  for (int i = 0; i < READERS; i++)
    CHECK(close(pipes[i][0]) == 0 && close(pipes[i][1]) == 0);
  CHECK(close(outer) == 0 && close(inner) == 0);
}

/* --- inotify: watches, by the descriptors that they were given -------------------------------------------------------------- */

static int notify, watch_directory, watch_file;

static void make_inotify(void) {
  int file = open("inotify.tmp", O_CREAT | O_WRONLY, 0600);
  CHECK(file >= 0 && close(file) == 0 && mkdir("inotify.dir", 0700) == 0);
  notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  watch_directory = inotify_add_watch(notify, "inotify.dir", IN_CREATE | IN_DELETE);
  watch_file = inotify_add_watch(notify, "inotify.tmp", IN_MODIFY);
  CHECK(notify >= 0 && watch_directory == 1 && watch_file == 2);
}

/* Whether the next event is this one. Events that wait at a migration are lost: then there is none. */
static bool has_happened(int watch, uint32_t mask) {
  _Alignas(8) char buffer[4096];
  const struct inotify_event *event = (const void *)buffer;
  if (read(notify, buffer, sizeof buffer) < 0 && errno == EAGAIN)
    return false;
  CHECK(event->wd == watch && event->mask == mask && (mask == IN_MODIFY || strcmp(event->name, "new") == 0));
  return true;
}

static bool events_are_seen(uint64_t round) {
  int file = open("inotify.dir/new", O_CREAT | O_WRONLY, 0600);
  CHECK(file >= 0 && close(file) == 0);
  bool seen = has_happened(watch_directory, IN_CREATE);
  CHECK(unlink("inotify.dir/new") == 0);
  seen &= has_happened(watch_directory, IN_DELETE);
  file = open("inotify.tmp", O_WRONLY);
  write_u64(file, round);
  CHECK(close(file) == 0);
  return seen & has_happened(watch_file, IN_MODIFY);
}

static uint64_t use_inotify(uint64_t round) {
  CHECK(!has_happened(watch_file, IN_MODIFY));
  CHECK(events_are_seen(round) || events_are_seen(round) || events_are_seen(round));
  return round;
}

static void end_inotify(void) {
  CHECK(inotify_rm_watch(notify, watch_file) == 0 && close(notify) == 0);
  CHECK(unlink("inotify.tmp") == 0 && rmdir("inotify.dir") == 0);
}

/* --- memfd: read, written and mapped, shared with a child, sealed -------------------------------------------------------------- */

#define PAGES 20

static int memory, sealed;
static uint64_t *words;

static void make_memfd(void) {
  memory = memfd_create("kinds", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
  CHECK(memory >= 0 && sealed >= 0 && ftruncate(memory, PAGES * 4096) == 0);
  words = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  CHECK(words != MAP_FAILED);
  write_u64(sealed, 77);
  CHECK(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
  CHECK(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
}

static uint64_t use_memfd(uint64_t round) {
  uint64_t value, previous;
  off_t at = (off_t)(round % PAGES * 4096);
  words[round % PAGES * 512] = round + 1;
  CHECK(pread(memory, &value, sizeof value, at) == sizeof value && value == round + 1);
  CHECK(pwrite(memory, &value, sizeof value, at + 8) == sizeof value && words[round % PAGES * 512 + 1] == round + 1);
  if (round != 0) {
    CHECK(lseek(memory, 0, SEEK_CUR) == (off_t)(round - 1) % PAGES * 4096 + 8);
    CHECK(pread(memory, &previous, sizeof previous, (off_t)((round - 1) % PAGES * 4096)) == sizeof previous);
    CHECK(previous == round);
  }
  CHECK(lseek(memory, at, SEEK_SET) == at && read_u64(memory) == round + 1);
  CHECK(fcntl(memory, F_GET_SEALS) == F_SEAL_SHRINK && fcntl(memory, F_GETFD) == FD_CLOEXEC);
  CHECK(fcntl(sealed, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
  CHECK(pread(sealed, &value, sizeof value, 0) == sizeof value && value == 77);
  CHECK(pwrite(sealed, &value, sizeof value, 0) < 0 && errno == EPERM);
  return value;
}

static void end_memfd(void) {
  pid_t child = kind_fork();
  if (child == 0) {
    words[3] = 1234;
    _exit(9);
  }
  kind_reap(child, 9);
  CHECK(words[3] == 1234 && munmap(words, PAGES * 4096) == 0 && close(memory) == 0 && close(sealed) == 0);
}

static const struct kind kinds[] = {
    {"eventfd", make_eventfd, use_eventfd, end_eventfd},
    {"signalfd", make_signalfd, use_signalfd, end_signalfd},
    {"timerfd", make_timerfd, use_timerfd, end_timerfd},
    {"epoll", make_epoll, use_epoll, end_epoll},
    {"inotify", make_inotify, use_inotify, end_inotify},
    {"memfd", make_memfd, use_memfd, end_memfd},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
