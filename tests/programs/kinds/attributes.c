/* What a process and its threads are, beyond their memory: see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

/* --- identity: the environment, directory, limits, priorities and names ------------------------------------------------ */

static void make_identity(void) {
  struct rlimit files = {200, 300}, stack;
  struct sched_param parameter = {0};
  CHECK(mkdir("kinds.here", 0700) == 0 && chdir("kinds.here") == 0 && setenv("KINDS", "made", 1) == 0);
  CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0 && getrlimit(RLIMIT_STACK, &stack) == 0);
  /* The C library does not know these calls: POSIX means something else by them than Linux does. */
  CHECK(setpriority(PRIO_PROCESS, 0, 7) == 0 && syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &parameter) == 0);
  CHECK(prctl(PR_SET_NAME, "kinds-renamed") == 0);
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  umask(0137);
}

static uint64_t use_identity(uint64_t round) {
  char name[17] = {0}, directory[4096];
  struct rlimit files;
  struct stat status;
  int subreaper = 0;
  CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == 200 && files.rlim_max == 300);
  CHECK(getpriority(PRIO_PROCESS, 0) == 7 && syscall(SYS_sched_getscheduler, 0) == SCHED_BATCH);
  CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "kinds-renamed") == 0);
  CHECK(prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper == 1);
  CHECK(getcwd(directory, sizeof directory) != NULL && strcmp(strrchr(directory, '/'), "/kinds.here") == 0);
  CHECK(strcmp(getenv("KINDS"), "made") == 0);
  int file = open("masked", O_CREAT | O_WRONLY, 0777);
  CHECK(file >= 0 && fstat(file, &status) == 0 && (status.st_mode & 0777) == 0640);
  CHECK(close(file) == 0 && unlink("masked") == 0);
  return round;
}

static void end_identity(void) { CHECK(chdir("..") == 0 && rmdir("kinds.here") == 0); }

/* --- user: a child that has become another user, with groups and without the right to become more -------------------------- */

static int down[2], up[2];
static pid_t child;

static bool is_user(void) {
  uid_t real, effective, saved;
  gid_t groups[8], group, effective_group, saved_group;
  bool good = getresuid(&real, &effective, &saved) == 0 && real == 1001 && effective == 1002 && saved == 1001;
  good = good && getresgid(&group, &effective_group, &saved_group) == 0 && group == 2001 && saved_group == 2003;
  good = good && getgroups(8, groups) == 2 && groups[0] == 3001 && groups[1] == 3002;
  return good && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && setuid(0) < 0;
}

static void make_user(void) {
  char byte;
  CHECK(pipe(down) == 0 && pipe(up) == 0);
  child = kind_fork();
  if (child != 0) {
    CHECK(close(down[0]) == 0 && close(up[1]) == 0);
    return;
  }
  CHECK(close(down[1]) == 0);
  bool is_root = geteuid() == 0;
  if (is_root) {
    CHECK(setgroups(2, (gid_t[]){3001, 3002}) == 0 && setresgid(2001, 2002, 2003) == 0);
    CHECK(setresuid(1001, 1002, 1001) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  }
  while (read(down[0], &byte, 1) == 1) {
    CHECK(!is_root || is_user());
    CHECK(write(up[1], &byte, 1) == 1);
  }
  _exit(4);
}

static uint64_t use_user(uint64_t round) {
  char byte = (char)round;
  CHECK(write(down[1], &byte, 1) == 1 && read(up[0], &byte, 1) == 1);
  return (uint64_t)byte;
}

static void end_user(void) {
  CHECK(close(down[1]) == 0);
  kind_reap(child, 4);
}

/* --- pending: signals for the process and for one thread, real-time ones with values; masks and stacks of each thread -------- */

#define QUEUED 3
#define STACK 16384

static pthread_t thread;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static uint64_t wanted, done;
static unsigned char own_stack[STACK], thread_stack[STACK];
static volatile sig_atomic_t handled;

static bool is_within(const unsigned char *stack, const void *address) {
  return (uintptr_t)address >= (uintptr_t)stack && (uintptr_t)address < (uintptr_t)stack + STACK;
}

static void on_stack(int number, siginfo_t *info, void *context) {
  char here = 0;
  (void)context;
  bool good = is_within(pthread_equal(pthread_self(), thread) ? thread_stack : own_stack, &here);
  handled += good && number == SIGUSR2 && info->si_code == SI_TKILL;
}

static sigset_t three(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 6);
  sigaddset(&set, SIGRTMIN + 7);
  return set;
}

/* Its own pending signals are those that were sent to it; it takes one and sends one each time. */
static void *hold_signals(void *argument) {
  CHECK(sigaltstack(&(stack_t){.ss_sp = thread_stack, .ss_size = STACK}, NULL) == 0);
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 7);
  CHECK(pthread_kill(pthread_self(), SIGRTMIN + 7) == 0 && prctl(PR_SET_NAME, "holder") == 0);
  pthread_mutex_lock(&mutex);
  while (wanted != UINT64_MAX) {
    if (wanted == done) {
      pthread_cond_wait(&condition, &mutex);
      continue;
    }
    siginfo_t info;
    char name[17] = {0};
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGRTMIN + 7) == 1);
    CHECK(sigtimedwait(&set, &info, &(struct timespec){0}) == SIGRTMIN + 7 && info.si_pid == getpid());
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "holder") == 0);
    CHECK(pthread_kill(pthread_self(), SIGRTMIN + 7) == 0 && pthread_kill(pthread_self(), SIGUSR2) == 0);
    done = wanted;
    pthread_cond_broadcast(&condition);
  }
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void make_pending(void) {
  struct sigaction action = {.sa_sigaction = on_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  sigset_t set = three();
  CHECK(sigaction(SIGUSR2, &action, NULL) == 0 && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  CHECK(sigaltstack(&(stack_t){.ss_sp = own_stack, .ss_size = STACK}, NULL) == 0);
  CHECK(pthread_create(&thread, NULL, hold_signals, NULL) == 0 && kill(getpid(), SIGUSR1) == 0);
  for (int i = 0; i < QUEUED; i++)
    CHECK(sigqueue(getpid(), SIGRTMIN + 6, (union sigval){.sival_int = i}) == 0);
}

static uint64_t use_pending(uint64_t round) {
  sigset_t pending, set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 6);
  CHECK(sigqueue(getpid(), SIGRTMIN + 6, (union sigval){.sival_int = (int)round + QUEUED}) == 0);
  CHECK(sigtimedwait(&set, &info, &(struct timespec){0}) == SIGRTMIN + 6);
  CHECK(info.si_value.sival_int == (int)round && info.si_code == SI_QUEUE && info.si_pid == getpid());
  CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1 && sigismember(&pending, SIGRTMIN + 7) == 0);
  CHECK(raise(SIGUSR2) == 0);
  pthread_mutex_lock(&mutex);
  wanted = round + 1;
  pthread_cond_broadcast(&condition);
  while (done != wanted)
    pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  CHECK(handled == 2 * (sig_atomic_t)(round + 1));
  return (uint64_t)info.si_value.sival_int;
}

static void end_pending(void) {
  pthread_mutex_lock(&mutex);
  wanted = UINT64_MAX;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  CHECK(pthread_join(thread, NULL) == 0);
}

/* --- timers: of all clocks, one-shot and periodic ---------------------------------------------------------------------------- */

static timer_t periodic, distant;
static volatile sig_atomic_t real_ticks, virtual_ticks, posix_ticks;

static void count_real(int number) { real_ticks += number == SIGALRM; }
static void count_virtual(int number) { virtual_ticks += number == SIGVTALRM; }
static void count_posix(int number, siginfo_t *info, void *context) {
  posix_ticks += number == SIGRTMIN + 8 && info->si_code == SI_TIMER && info->si_value.sival_int == 55 && context != NULL;
}

static void handle(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(number, &action, NULL) == 0);
}

static void make_timers(void) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 8, .sigev_value.sival_int = 55};
  struct sigaction action = {.sa_sigaction = count_posix, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct itimerval often = {{0, 4000}, {0, 4000}};
  handle(SIGALRM, count_real);
  handle(SIGVTALRM, count_virtual);
  CHECK(sigaction(SIGRTMIN + 8, &action, NULL) == 0);
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &often, NULL) == 0);
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &periodic) == 0 && timer_create(CLOCK_REALTIME, &event, &distant) == 0);
  CHECK(timer_settime(periodic, 0, &(struct itimerspec){{0, 5000000}, {0, 5000000}}, NULL) == 0);
  CHECK(timer_settime(distant, 0, &(struct itimerspec){{9, 0}, {90000000, 0}}, NULL) == 0);
}

static uint64_t use_timers(uint64_t round) {
  sig_atomic_t real = real_ticks, user = virtual_ticks, posix = posix_ticks;
  struct itimerspec left;
  uint64_t sum = opaque(1);
  while (real_ticks == real || virtual_ticks == user || posix_ticks == posix)
    sum = compute_in_frames(4, sum, 100, kind_step);
  CHECK(sum != 0 && timer_gettime(distant, &left) == 0 && left.it_interval.tv_sec == 9);
  CHECK(left.it_value.tv_sec > 80000000 && left.it_value.tv_sec <= 90000000);
  return round;
}

static void end_timers(void) {
  struct itimerval none = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &none, NULL) == 0);
  CHECK(timer_delete(periodic) == 0 && timer_delete(distant) == 0);
}

static const struct kind kinds[] = {
    {"identity", make_identity, use_identity, end_identity},
    {"user", make_user, use_user, end_user},
    {"pending", make_pending, use_pending, end_pending},
    {"timers", make_timers, use_timers, end_timers},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
