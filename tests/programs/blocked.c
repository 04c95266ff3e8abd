/*
 * A program that is nearly always blocked in one system call, chosen by the first argument. A helper thread or child
 * makes the event after some milliseconds, again and again; the program checks what it got. Usage: blocked MODE
 * [rounds] [milliseconds]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

static long milliseconds;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static uint64_t event_value;

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 101); }

static NOINLINE struct timespec interval(long factor) {
  long total = milliseconds * factor;
  return (struct timespec){total / 1000, total % 1000 * 1000000};
}

/* Sleeps to the end, through interruptions: the time that is left comes back in the second argument. */
static NOINLINE void sleep_interval(long factor) {
  struct timespec left = interval(factor);
  while (nanosleep(&left, &left) != 0)
    CHECK(errno == EINTR);
}

static NOINLINE struct timespec deadline(long factor) {
  struct timespec now, wait = interval(factor);
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  now.tv_sec += wait.tv_sec + (now.tv_nsec + wait.tv_nsec) / 1000000000;
  now.tv_nsec = (now.tv_nsec + wait.tv_nsec) % 1000000000;
  return now;
}

/* A helper: sleeps, then does something to a descriptor or thread. */
struct helper {
  void (*act)(struct helper *);
  int descriptor;
  uint64_t value;
  pthread_t thread, target;
};

static void *run_helper(void *argument) {
  struct helper *helper = argument;
  sleep_interval(1);
  helper->act(helper);
  return (void *)(uintptr_t)helper->value;
}

static NOINLINE void start_helper(struct helper *helper) {
  helper->target = pthread_self();
  CHECK(pthread_create(&helper->thread, NULL, run_helper, helper) == 0);
}

static NOINLINE void end_helper(struct helper *helper) {
  void *result;
  CHECK(pthread_join(helper->thread, &result) == 0 && (uintptr_t)result == helper->value);
}

static void act_write(struct helper *h) { CHECK(write(h->descriptor, &h->value, sizeof h->value) == sizeof h->value); }
static void act_nothing(struct helper *h) { h->value = step(h->value); }
static void act_kill(struct helper *h) { CHECK(pthread_kill(h->target, SIGUSR1) == 0 && h->value != 0); }

static void act_signal(struct helper *h) {
  pthread_mutex_lock(&mutex);
  event_value = h->value;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
}

static void act_unlock(struct helper *h) {
  (void)h;
  CHECK(sem_post((sem_t *)(uintptr_t)h->value) == 0);
}

/* Reads the helper's value from a descriptor that must be ready. */
static NOINLINE uint64_t read_value(int descriptor, uint64_t expected) {
  uint64_t value = 0;
  CHECK(read(descriptor, &value, sizeof value) == sizeof value && value == expected);
  return value;
}

/* Makes a pipe, lets a helper write to it, waits in the way given, and reads. */
static NOINLINE uint64_t with_pipe(uint64_t seed, void (*wait)(int descriptor)) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  struct helper helper = {.act = act_write, .descriptor = ends[1], .value = step(seed)};
  start_helper(&helper);
  wait(ends[0]);
  uint64_t value = read_value(ends[0], helper.value);
  end_helper(&helper);
  close(ends[0]);
  close(ends[1]);
  return value;
}

static void wait_not(int descriptor) { CHECK(descriptor >= 0); }

static void wait_poll(int descriptor) {
  struct pollfd item = {.fd = descriptor, .events = POLLIN};
  CHECK(poll(&item, 1, 1000000) == 1 && item.revents == POLLIN);
}

static void wait_ppoll(int descriptor) {
  struct pollfd items[2] = {{.fd = -1}, {.fd = descriptor, .events = POLLIN}};
  struct timespec timeout = {1000, 0};
  sigset_t set;
  sigemptyset(&set);
  CHECK(ppoll(items, 2, &timeout, &set) == 1 && items[1].revents == POLLIN);
}

static void wait_select(int descriptor) {
  fd_set set;
  struct timeval timeout = {1000, 0};
  FD_ZERO(&set);
  FD_SET(descriptor, &set);
  CHECK(select(descriptor + 1, &set, NULL, NULL, &timeout) == 1 && FD_ISSET(descriptor, &set));
}

static void wait_epoll(int descriptor) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_C(0xfeedfacecafe)}, got[2];
  CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
  CHECK(epoll_wait(epoll, got, 2, -1) == 1 && got[0].data.u64 == UINT64_C(0xfeedfacecafe));
  CHECK(close(epoll) == 0);
}

static uint64_t block_read(uint64_t seed) { return with_pipe(seed, wait_not); }
static uint64_t block_poll(uint64_t seed) { return with_pipe(seed, wait_poll); }
static uint64_t block_ppoll(uint64_t seed) { return with_pipe(seed, wait_ppoll); }
static uint64_t block_select(uint64_t seed) { return with_pipe(seed, wait_select); }
static uint64_t block_epoll(uint64_t seed) { return with_pipe(seed, wait_epoll); }

static uint64_t block_sleep(uint64_t seed) {
  sleep_interval(1);
  return step(seed);
}

static uint64_t block_clock(uint64_t seed) {
  struct timespec until;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
  until.tv_sec += milliseconds / 1000;
  until.tv_nsec += milliseconds % 1000 * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int error;
  while ((error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)) != 0)
    CHECK(error == EINTR);
  return step(seed);
}

/* Waits for a condition without a time limit; block_timedwait for one that never comes, until its time is over. */
static uint64_t block_futex(uint64_t seed) {
  struct helper helper = {.act = act_signal, .value = step(seed)};
  start_helper(&helper);
  pthread_mutex_lock(&mutex);
  while (event_value != helper.value)
    CHECK(pthread_cond_wait(&condition, &mutex) == 0);
  pthread_mutex_unlock(&mutex);
  end_helper(&helper);
  return event_value;
}

static uint64_t block_timedwait(uint64_t seed) {
  struct timespec until = deadline(1);
  int error;
  pthread_mutex_lock(&mutex);
  while ((error = pthread_cond_timedwait(&condition, &mutex, &until)) == 0)
    ;
  pthread_mutex_unlock(&mutex);
  CHECK(error == ETIMEDOUT);
  return step(seed);
}

static uint64_t block_join(uint64_t seed) {
  struct helper helper = {.act = act_nothing, .value = seed | 1};
  start_helper(&helper);
  void *result;
  CHECK(pthread_join(helper.thread, &result) == 0 && (uintptr_t)result == step(seed | 1));
  return (uintptr_t)result;
}

static uint64_t block_semaphore(uint64_t seed) {
  sem_t semaphore;
  CHECK(sem_init(&semaphore, 0, 0) == 0);
  struct helper helper = {.act = act_unlock, .value = (uintptr_t)&semaphore};
  start_helper(&helper);
  while (sem_wait(&semaphore) != 0)
    CHECK(errno == EINTR);
  end_helper(&helper);
  CHECK(sem_destroy(&semaphore) == 0);
  return step(seed);
}

static uint64_t block_waitpid(uint64_t seed) {
  int status, expected = (int)(seed % 200);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    sleep_interval(1);
    _exit(expected);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == expected);
  return mix(seed, (uint64_t)WEXITSTATUS(status));
}

static uint64_t block_sigwait(uint64_t seed) {
  sigset_t set;
  int number = 0;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  struct helper helper = {.act = act_kill, .value = 1};
  start_helper(&helper);
  CHECK(sigwait(&set, &number) == 0 && number == SIGUSR1);
  end_helper(&helper);
  return mix(seed, (uint64_t)number);
}

static volatile sig_atomic_t arrived;

static void note_arrival(int number) { arrived = number; }

static uint64_t block_sigsuspend(uint64_t seed) {
  struct sigaction action = {.sa_handler = note_arrival};
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_sigmask(SIG_BLOCK, &set, &old) == 0);
  sigdelset(&old, SIGUSR1);
  struct helper helper = {.act = act_kill, .value = 1};
  arrived = 0;
  start_helper(&helper);
  while (arrived == 0)
    CHECK(sigsuspend(&old) == -1 && errno == EINTR);
  CHECK(arrived == SIGUSR1);
  end_helper(&helper);
  return mix(seed, (uint64_t)arrived);
}

static uint64_t block_recv(uint64_t seed) {
  int ends[2];
  uint64_t value = 0;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  struct helper helper = {.act = act_write, .descriptor = ends[1], .value = step(seed)};
  start_helper(&helper);
  CHECK(recv(ends[0], &value, sizeof value, 0) == sizeof value && value == helper.value);
  end_helper(&helper);
  close(ends[0]);
  close(ends[1]);
  return value;
}

/* Fills a pipe until a write blocks; a child empties it. */
static uint64_t block_write(uint64_t seed) {
  static char block[200000];
  int ends[2], status;
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    size_t total = 0;
    ssize_t got;
    close(ends[1]);
    sleep_interval(1);
    while ((got = read(ends[0], block, 4096)) > 0)
      total += (size_t)got;
    _exit(total == sizeof block ? 0 : 1);
  }
  close(ends[0]);
  for (size_t at = 0; at < sizeof block;) {
    ssize_t put = write(ends[1], block + at, sizeof block - at);
    CHECK(put > 0);
    at += (size_t)put;
  }
  close(ends[1]);
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return step(seed);
}

static uint64_t block_eventfd(uint64_t seed) {
  int descriptor = eventfd(0, EFD_CLOEXEC);
  CHECK(descriptor >= 0);
  struct helper helper = {.act = act_write, .descriptor = descriptor, .value = step(seed) >> 1};
  start_helper(&helper);
  uint64_t value = read_value(descriptor, helper.value);
  end_helper(&helper);
  close(descriptor);
  return value;
}

static uint64_t block_timerfd(uint64_t seed) {
  int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  struct itimerspec once = {.it_value = interval(1)};
  CHECK(descriptor >= 0 && timerfd_settime(descriptor, 0, &once, NULL) == 0);
  uint64_t value = read_value(descriptor, 1);
  close(descriptor);
  return mix(seed, value);
}

static const struct {
  const char *name;
  uint64_t (*block)(uint64_t seed);
} modes[] = {
    {"clock", block_clock},
    {"epoll", block_epoll},
    {"eventfd", block_eventfd},
    {"futex", block_futex},
    {"join", block_join},
    {"poll", block_poll},
    {"ppoll", block_ppoll},
    {"read", block_read},
    {"recv", block_recv},
    {"select", block_select},
    {"semaphore", block_semaphore},
    {"sigsuspend", block_sigsuspend},
    {"sigwait", block_sigwait},
    {"sleep", block_sleep},
    {"timedwait", block_timedwait},
    {"timerfd", block_timerfd},
    {"waitpid", block_waitpid},
    {"write", block_write},
};

/* Keeps a few frames between main and the blocking call. */
static NOINLINE uint64_t descend(unsigned depth, uint64_t sum, uint64_t (*block)(uint64_t seed)) {
  if (depth == 0)
    return block(sum);
  uint64_t kept = step(sum);
  return mix(descend(depth - 1, kept, block), kept);
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "sleep";
  long rounds = argument(argc, argv, 2, 10);
  milliseconds = argument(argc, argv, 3, 50);
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(modes[i].name, name) != 0)
      continue;
    uint64_t sum = opaque(73);
    printf("blocked: %s\n", name);
    fflush(stdout);
    for (long round = 0; round < rounds; round++) {
      sum = descend(4, sum, modes[i].block);
      progress("blocked", round, rounds, sum);
    }
    return finish("blocked", sum);
  }
  fprintf(stderr, "%s: mode '%s' is unknown\n", argv[0], name);
  return 2;
}
