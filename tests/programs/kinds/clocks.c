/* Clocks and timers of processor time, of processes, threads, and children that were waited for: none goes back; see kinds.h. */
#define _GNU_SOURCE
#include "kinds.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

#define MILLISECOND 1000000L
#define EARLIER (120 * MILLISECOND) /* used before the first round: more than a process has that was just restored */

static long nanoseconds(struct timespec time) { return time.tv_sec * 1000 * MILLISECOND + time.tv_nsec; }

static long time_of(clockid_t clock) {
  struct timespec time;
  CHECK(clock_gettime(clock, &time) == 0);
  return nanoseconds(time);
}

/* Works until the calling thread has used so much more. (Not in compute_in_frames: that is where migrations begin.) */
static NOINLINE uint64_t burn(long time) {
  uint64_t sum = 1;
  for (long end = time_of(CLOCK_THREAD_CPUTIME_ID) + time; time_of(CLOCK_THREAD_CPUTIME_ID) < end;)
    for (int i = 0; i < 1000; i++)
      sum = mix_at_site(sum, 3);
  return sum;
}

static long total(const struct rusage *usage) {
  return ((usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 + usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000;
}

static long usage_of(int who) {
  struct rusage usage;
  CHECK(getrusage(who, &usage) == 0);
  return total(&usage);
}

/* --- clocks: this process, its main thread, another thread ------------------------------------------------------------------- */

enum { CLOCK, TIMES_USER, TIMES_SYSTEM, TIMES_CHILDREN, TIMES, SELF, THREAD, CHILDREN, PROCESS, MAIN_THREAD, BY_PID, OTHER, OWN_ID, ITEMS };

static pthread_t other;
static sem_t ready, turns;
static volatile bool over;
static long last[ITEMS], others_last;

static void *take_turns(void *unused) {
  burn(EARLIER);
  CHECK(sem_post(&ready) == 0);
  for (;;) {
    CHECK(sem_wait(&turns) == 0);
    if (over)
      return unused;
    long now = usage_of(RUSAGE_THREAD), clock = time_of(CLOCK_THREAD_CPUTIME_ID);
    CHECK(now >= others_last && clock >= EARLIER);
    others_last = now;
    burn(MILLISECOND);
  }
}

static void read_all(long now[ITEMS]) {
  struct tms tms;
  clockid_t id;
  now[CLOCK] = clock();
  now[TIMES] = times(&tms);
  now[TIMES_USER] = tms.tms_utime;
  now[TIMES_SYSTEM] = tms.tms_stime;
  now[TIMES_CHILDREN] = tms.tms_cutime + tms.tms_cstime;
  now[SELF] = usage_of(RUSAGE_SELF);
  now[THREAD] = usage_of(RUSAGE_THREAD);
  now[CHILDREN] = usage_of(RUSAGE_CHILDREN);
  now[PROCESS] = time_of(CLOCK_PROCESS_CPUTIME_ID);
  now[MAIN_THREAD] = time_of(CLOCK_THREAD_CPUTIME_ID);
  CHECK(clock_getcpuclockid(getpid(), &id) == 0);
  now[BY_PID] = time_of(id);
  CHECK(pthread_getcpuclockid(other, &id) == 0);
  now[OTHER] = time_of(id);
  CHECK(pthread_getcpuclockid(pthread_self(), &id) == 0);
  now[OWN_ID] = time_of(id);
}

static void run_child(long time) {
  pid_t child = kind_fork();
  if (child == 0) {
    burn(time);
    _exit(3);
  }
  kind_reap(child, 3);
}

static void make_clocks(void) {
  CHECK(sem_init(&ready, 0, 0) == 0 && sem_init(&turns, 0, 0) == 0 && pthread_create(&other, NULL, take_turns, NULL) == 0);
  run_child(EARLIER);
  burn(EARLIER);
  CHECK(sem_wait(&ready) == 0);
}

/* A child counts from 0. */
static void check_child(void) {
  pid_t child = kind_fork();
  if (child == 0) {
    bool good = time_of(CLOCK_PROCESS_CPUTIME_ID) < EARLIER && time_of(CLOCK_THREAD_CPUTIME_ID) < EARLIER &&
                usage_of(RUSAGE_SELF) < EARLIER && usage_of(RUSAGE_CHILDREN) == 0;
    _exit(good ? 3 : 4);
  }
  kind_reap(child, 3);
}

static uint64_t use_clocks(uint64_t round) {
  long now[ITEMS];
  read_all(now);
  for (int i = 0; i < ITEMS; i++)
    CHECK(now[i] >= last[i]);
  CHECK(now[PROCESS] >= 2 * EARLIER && now[OTHER] >= EARLIER);
  CHECK(now[SELF] >= EARLIER && now[THREAD] >= EARLIER - 10 * MILLISECOND && now[MAIN_THREAD] >= EARLIER);
  CHECK(now[CHILDREN] >= EARLIER - 10 * MILLISECOND && now[OWN_ID] >= now[MAIN_THREAD]);
  memcpy(last, now, sizeof last);
  CHECK(sem_post(&turns) == 0);
  check_child();
  return round;
}

static void end_clocks(void) {
  over = true;
  CHECK(sem_post(&turns) == 0 && pthread_join(other, NULL) == 0);
  long used = time_of(CLOCK_PROCESS_CPUTIME_ID);
  struct timespec early = {0, 50 * MILLISECOND};
  CHECK(used >= 2 * EARLIER && clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &early, NULL) == 0);
}

/* --- family: what children and their children have used counts when they are waited for, also what they had before the move ---------------- */

static pid_t child, ended;
static int end_of_child[2];

static void make_family(void) {
  CHECK(pipe(end_of_child) == 0);
  child = kind_fork();
  if (child == 0) {
    char none;
    CHECK(close(end_of_child[1]) == 0);
    pid_t grandchild = kind_fork();
    burn(EARLIER);
    CHECK(read(end_of_child[0], &none, 1) == 0);
    if (grandchild != 0)
      kind_reap(grandchild, 5);
    _exit(5);
  }
  CHECK(close(end_of_child[0]) == 0);
  ended = kind_fork();
  if (ended == 0) {
    CHECK(close(end_of_child[1]) == 0);
    burn(EARLIER);
    _exit(6);
  }
  siginfo_t info;
  CHECK(waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT) == 0);
}

static uint64_t use_family(uint64_t round) {
  CHECK(usage_of(RUSAGE_CHILDREN) < EARLIER); /* nobody was waited for */
  return round;
}

static void end_family(void) {
  struct rusage usage;
  int status;
  CHECK(wait4(ended, &status, 0, &usage) == ended && WEXITSTATUS(status) == 6);
  CHECK(total(&usage) >= EARLIER - 10 * MILLISECOND && usage_of(RUSAGE_CHILDREN) >= EARLIER - 10 * MILLISECOND);
  CHECK(close(end_of_child[1]) == 0);
  kind_reap(child, 5);
  CHECK(usage_of(RUSAGE_CHILDREN) >= 3 * (EARLIER - 10 * MILLISECOND));
}

/* --- cputimers: they expire by processor time, also those of a time that lies before the move --------------------------------------- */

static volatile sig_atomic_t profiled, virtual, expired;
static timer_t absolute;

static void count_signal(int signal) {
  if (signal == SIGPROF)
    profiled++;
  else if (signal == SIGVTALRM)
    virtual++;
  else
    expired++;
}

static void make_cputimers(void) {
  static const int signals[] = {SIGPROF, SIGVTALRM, SIGUSR1};
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  for (int i = 0; i < 3; i++)
    CHECK(sigaction(signals[i], &action, NULL) == 0);
  const struct itimerval every = {{0, 30000}, {0, 30000}};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &every, NULL) == 0);
  CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &absolute) == 0);
  burn(EARLIER);
}

static uint64_t use_cputimers(uint64_t round) {
  int before_profiled = profiled, before_virtual = virtual, before = expired;
  long now = time_of(CLOCK_PROCESS_CPUTIME_ID), at = now + 200 * MILLISECOND;
  struct itimerspec then = {.it_value = {at / (1000 * MILLISECOND), at % (1000 * MILLISECOND)}}, left;
  CHECK(timer_settime(absolute, TIMER_ABSTIME, &then, NULL) == 0);
  while (profiled == before_profiled || virtual == before_virtual)
    burn(10 * MILLISECOND);
  CHECK(expired == before || time_of(CLOCK_PROCESS_CPUTIME_ID) >= at);
  CHECK(timer_gettime(absolute, &left) == 0 && nanoseconds(left.it_value) <= 200 * MILLISECOND);
  then.it_value = (struct timespec){0, 0};
  CHECK(timer_settime(absolute, 0, &then, NULL) == 0);
  before = expired;
  then.it_value = (struct timespec){0, 1}; /* long ago */
  CHECK(timer_settime(absolute, TIMER_ABSTIME, &then, NULL) == 0);
  while (expired == before)
    burn(10 * MILLISECOND);
  return round;
}

static void end_cputimers(void) {
  const struct itimerval none = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_PROF, &none, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &none, NULL) == 0 && timer_delete(absolute) == 0);
}

static const struct kind kinds[] = {
    {"clocks", make_clocks, use_clocks, end_clocks},
    {"family", make_family, use_family, end_family},
    {"cputimers", make_cputimers, use_cputimers, end_cputimers},
};

int main(int argc, char **argv) { return run_kinds(argc, argv, kinds, sizeof kinds / sizeof *kinds); }
