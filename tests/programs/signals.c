/*
 * Signals: interval timers counted by handlers while the program computes, masks, pending signals that wait for a long
 * time, queued real-time signals with values, SA_SIGINFO, an alternate stack, and threads with masks of their own.
 * What is printed does not depend on when a signal arrives. Usage: signals [phases] [milliseconds of a timer]
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

#define TICKS 10
#define QUEUED 5

static volatile sig_atomic_t ticks, posix_ticks, user_signals, nested_depth, on_alternate;
static volatile sig_atomic_t queued_count, queued_values[QUEUED], last_code;
static unsigned char *alternate;

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 97); }

static NOINLINE uint64_t compute(unsigned depth, uint64_t sum) {
  if (depth == 0)
    return sum;
  uint64_t kept = step(sum);
  return mix(compute(depth - 1, kept), kept);
}

static void count_tick(int number) {
  (void)number;
  ticks++;
}

static void count_posix_tick(int number) {
  (void)number;
  posix_ticks++;
}

/* Raises another signal while it runs: a handler upon a handler. */
static void count_user_signal(int number) {
  (void)number;
  user_signals++;
  if (nested_depth++ == 0)
    raise(SIGUSR2);
  nested_depth--;
}

static void note_alternate(int number) {
  unsigned char here;
  (void)number;
  uintptr_t at = (uintptr_t)&here, low = (uintptr_t)alternate;
  on_alternate += at >= low && at < low + 65536;
}

static void note_queued(int number, siginfo_t *info, void *context) {
  CHECK(number == SIGRTMIN + 1 && context != NULL);
  last_code = info->si_code;
  if (queued_count < QUEUED)
    queued_values[queued_count] = info->si_value.sival_int;
  queued_count++;
}

static NOINLINE void handle(int number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  CHECK(sigaction(number, &action, NULL) == 0);
}

static NOINLINE void install(void) {
  struct sigaction queued = {.sa_sigaction = note_queued, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigfillset(&queued.sa_mask);
  CHECK(sigaction(SIGRTMIN + 1, &queued, NULL) == 0);
  handle(SIGALRM, count_tick, SA_RESTART);
  handle(SIGRTMIN + 2, count_posix_tick, SA_RESTART);
  handle(SIGUSR1, count_user_signal, SA_RESTART);
  handle(SIGUSR2, note_alternate, SA_ONSTACK | SA_RESTART);
  handle(SIGPIPE, SIG_IGN, 0);
  alternate = malloc(65536);
  CHECK(alternate != NULL);
  stack_t stack = {.ss_sp = alternate, .ss_size = 65536};
  CHECK(sigaltstack(&stack, NULL) == 0);
}

static NOINLINE void mask(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

static NOINLINE bool is_pending(int number) {
  sigset_t set;
  CHECK(sigpending(&set) == 0);
  return sigismember(&set, number) == 1;
}

/* Computes until a counter has grown by TICKS; how much was computed is not told. */
static NOINLINE void compute_until(volatile sig_atomic_t *counter, sig_atomic_t goal) {
  uint64_t sum = opaque(1);
  while (*counter < goal)
    sum = compute(20, sum);
  CHECK(sum != 0);
}

/*
 * Signals are sent while blocked, stay pending over many ticks of a timer, and then arrive: an ordinary one once,
 * queued ones all and in order.
 */
static NOINLINE uint64_t pending_phase(int phase) {
  sig_atomic_t before = user_signals, alternate_before = on_alternate;
  queued_count = 0;
  mask(SIG_BLOCK, SIGUSR1);
  mask(SIG_BLOCK, SIGRTMIN + 1);
  for (int i = 0; i < QUEUED; i++) {
    CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = phase * 100 + i}) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
  }
  compute_until(&ticks, ticks + TICKS);
  CHECK(is_pending(SIGUSR1) && is_pending(SIGRTMIN + 1) && user_signals == before && queued_count == 0);
  mask(SIG_UNBLOCK, SIGRTMIN + 1);
  CHECK(queued_count == QUEUED && last_code == SI_QUEUE);
  for (int i = 0; i < QUEUED; i++)
    CHECK(queued_values[i] == phase * 100 + i);
  mask(SIG_UNBLOCK, SIGUSR1);
  CHECK(user_signals == before + 1 && on_alternate == alternate_before + 1 && !is_pending(SIGUSR1));
  return mix((uint64_t)queued_count, (uint64_t)queued_values[QUEUED - 1]);
}

/* A mask set in a caller is in force in callees and comes back when they return. */
static NOINLINE uint64_t masks(unsigned depth, uint64_t sum) {
  sigset_t now, saved;
  mask(SIG_BLOCK, SIGRTMIN + 3 + (int)depth);
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &saved) == 0);
  if (depth != 0)
    sum = masks(depth - 1, step(sum));
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
  for (unsigned i = 0; i < 10; i++)
    CHECK(sigismember(&now, SIGRTMIN + 3 + (int)i) == sigismember(&saved, SIGRTMIN + 3 + (int)i));
  mask(SIG_UNBLOCK, SIGRTMIN + 3 + (int)depth);
  return mix(sum, depth);
}

/* A thread that alone accepts a signal and waits for it with sigwait. */
static void *wait_for_signal(void *argument) {
  sigset_t set;
  int number;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 15);
  for (long i = 0; i < *(long *)argument; i++)
    CHECK(sigwait(&set, &number) == 0 && number == SIGRTMIN + 15);
  return argument;
}

static NOINLINE void start_timers(long milliseconds, timer_t *timer) {
  long seconds = milliseconds / 1000, rest = milliseconds % 1000;
  struct itimerval interval = {{seconds, rest * 1000}, {seconds, rest * 1000}};
  struct itimerspec spec = {{seconds, rest * 1000000}, {seconds, rest * 1000000}};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2};
  CHECK(setitimer(ITIMER_REAL, &interval, NULL) == 0);
  CHECK(timer_create(CLOCK_MONOTONIC, &event, timer) == 0);
  CHECK(timer_settime(*timer, 0, &spec, NULL) == 0);
}

static NOINLINE void stop_timers(timer_t timer) {
  struct itimerval none = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0);
  CHECK(timer_delete(timer) == 0);
}

int main(int argc, char **argv) {
  long phases = argument(argc, argv, 1, 12), milliseconds = argument(argc, argv, 2, 2);
  uint64_t sum = opaque(71);
  pthread_t waiter;
  timer_t timer;
  CHECK(milliseconds > 0);
  install();
  mask(SIG_BLOCK, SIGRTMIN + 15);
  sigset_t all, old;
  sigfillset(&all);
  CHECK(pthread_sigmask(SIG_BLOCK, &all, &old) == 0);
  CHECK(pthread_create(&waiter, NULL, wait_for_signal, &phases) == 0);
  CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
  start_timers(milliseconds, &timer);
  for (long i = 0; i < phases; i++) {
    sum = mix(sum, pending_phase((int)i));
    compute_until(&posix_ticks, posix_ticks + TICKS);
    sum = masks(9, sum);
    CHECK(sigqueue(getpid(), SIGRTMIN + 15, (union sigval){.sival_int = 1}) == 0);
    progress("signals", i, phases, sum);
  }
  CHECK(pthread_join(waiter, NULL) == 0);
  stop_timers(timer);
  CHECK(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) == 0);
  free(alternate);
  return finish("signals", sum);
}
