/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* In-process stress of the compiler: a program migrates onto itself, on one ISA, without CRIU.
 *
 * At chosen moments the machine stack is read through the stack maps, resume records are written, every byte of the old
 * stack that is not part of a listed object is overwritten, and the program goes on through its resume entries. Moments are
 *   - calls of transproc_hook(), which `transproc-codegen --stress` inserts (TRANSPROC_RATE=n: every nth, on average);
 *   - breakpoints at points and return addresses, armed by a timer (TRANSPROC_ASYNC=microseconds).
 * Other variables: TRANSPROC_SEED, TRANSPROC_MAX (migrations), TRANSPROC_VERBOSE (1: totals, 2: every frame), TRANSPROC_LENIENT
 * (go on when a stack has a frame without stack map, instead of failing).
 *
 * The program's main must be called program_main; its objects have unwind tables.
 * The formats are those of docs/format.md, sections 3 and 4. */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

static const size_t stack_size = 1u << 30;

struct transproc_record *sentinel;
int lenient, verbose;
static char *stack_low, *stack_top;
static unsigned long hooks, migrations, frames_moved, refused, async_stops, return_stops;
static unsigned long max_migrations = ~0ul;
static long rate, countdown = -1;
static unsigned long long random_state = 88172645463325252ull;

static unsigned long long next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}
static long next_countdown(void) { return rate <= 1 ? rate : 1 + (long)(next_random() % (2 * rate - 1)); }

__attribute__((noinline)) static void migrate(ucontext_t *stopped) {
  struct walk w = {.stopped = stopped};
  walk_stack(&w);
  if (!w.done || w.bad) {
    if (!lenient) fail("incomplete walk, frames", w.count);
    refused++;
    for (struct frame *f = w.first; f;) {
      struct frame *next = f == w.last ? 0 : frame_of(f->record.outer);
      release(f);
      f = next;
    }
    return;
  }
  migrations++;
  transproc_stress_epoch++;
  frames_moved += w.count;
  if (verbose > 1) fprintf(stderr, "stress: migration %lu\n", migrations);
  char here, *low = (char *)(((uintptr_t)&here - 16384) & ~4095ul);
  resume(w.first ? &w.first->record : sentinel, low < stack_low ? stack_low : low);
}

void transproc_hook(void) {
  hooks++;
  if (--countdown == 0) {
    countdown = next_countdown();
    if (migrations < max_migrations) migrate(0);
  }
}

/* ---- breakpoints ---- */

volatile unsigned __transproc_poll; /* see runtime/src/arch */
extern uint64_t __start_transproc_labels[] __attribute__((weak)), __stop_transproc_labels[] __attribute__((weak));
extern uint64_t __start_transproc_points[] __attribute__((weak)), __stop_transproc_points[] __attribute__((weak));
static unsigned char *saved_code; static volatile int armed; static uint64_t code_low = ~0ul, code_high;

static int may_stop(const struct site *s) { return (s->id & 1) || s->header.result != 0xffffffff; }
static void arm(int on) {
  for (size_t i = 0; i < site_count; i++)
    if (on) memcpy(saved_code + 4 * i, (void *)sites[i].pc, sizeof breakpoint);
  for (size_t i = 0; i < site_count; i++)
    if (may_stop(&sites[i])) memcpy((void *)sites[i].pc, on ? breakpoint : saved_code + 4 * i, sizeof breakpoint);
  __transproc_poll = (unsigned)on;
  for (size_t i = 0, count = (size_t)(__stop_transproc_labels - __start_transproc_labels); i < count; i++) {
    uint64_t address = __start_transproc_labels[i];
    __start_transproc_labels[i] = __start_transproc_points[i];
    __start_transproc_points[i] = address;
  }
  __builtin___clear_cache((void *)code_low, (void *)code_high);
  armed = on;
}
static void on_alarm(int s) { (void)s; if (!armed && migrations < max_migrations) arm(1); }
static void on_trap(int signal, siginfo_t *info, void *context) {
  (void)signal; (void)info;
  step_back(context);
  if (!armed) fail("stray breakpoint", program_counter(context));
  arm(0);
  async_stops++;
  return_stops += find_site(program_counter(context), 1) == 0;
  migrate(context);
}
static void make_writable(void *from, void *to) {
  uintptr_t low = (uintptr_t)from & ~4095ul, high = (uintptr_t)to;
  if (from != to && mprotect((void *)low, high - low, PROT_READ | PROT_WRITE)) fail("mprotect", low);
}
static void start_timer(long microseconds) {
  for (size_t i = 0; i < site_count; i++) {
    if (sites[i].pc < code_low) code_low = sites[i].pc;
    if (sites[i].pc > code_high) code_high = sites[i].pc;
  }
  if (!site_count) return;
  code_low &= ~4095ul;
  code_high = (code_high + 8192) & ~4095ul;
  if (mprotect((void *)code_low, code_high - code_low, PROT_READ | PROT_WRITE | PROT_EXEC)) fail("mprotect", code_low);
  make_writable(__start_transproc_labels, __stop_transproc_labels);
  make_writable(__start_transproc_points, __stop_transproc_points);
  saved_code = malloc(4 * site_count);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGTRAP, &action, 0);
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, 0);
  struct itimerval interval = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &interval, 0);
}

/* ---- start ---- */

extern int program_main(int argc, char **argv);
static int program_argc; static char **program_argv;

static void report(void) {
  if (verbose)
    fprintf(stderr, "stress: hooks %lu stops %lu (%lu at return addresses) migrations %lu frames %lu refused %lu\n", hooks,
            async_stops, return_stops, migrations, frames_moved, refused);
}
static void end(struct transproc_record *r) { exit((int)r->result[0]); }
__attribute__((noinline, used)) int transproc_stress_boot(int argc, char **argv) {
  int status = program_main(argc, argv);
  __asm__ volatile("" ::: "memory");
  exit(status);
}
static void boot(void) { transproc_stress_boot(program_argc, program_argv); }
static char *map(size_t size) {
  char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) fail("mmap", size);
  return p;
}
static long setting(const char *name, long otherwise) { const char *v = getenv(name); return v ? atol(v) : otherwise; }

int main(int argc, char **argv) {
  program_argc = argc;
  program_argv = argv;
  lenient = setting("TRANSPROC_LENIENT", 0);
  verbose = setting("TRANSPROC_VERBOSE", 0);
  max_migrations = setting("TRANSPROC_MAX", -1);
  random_state ^= (unsigned long long)setting("TRANSPROC_SEED", 0) * 0x9E3779B97F4A7C15ull;
  if ((rate = setting("TRANSPROC_RATE", 0))) countdown = next_countdown();
  stack_low = map(stack_size);
  stack_top = stack_low + stack_size - 64;
  scheduler_top = map(1 << 20) + (1 << 20) - 64;
  struct frame *last = allocate(sizeof *last);
  memset(last, 0, sizeof *last);
  last->low = stack_top - 4096; /* the frame of transproc_stress_boot */
  last->record.enter = end;
  sentinel = &last->record;
  load_sites();
  atexit(report);
  long async = setting("TRANSPROC_ASYNC", 0);
  if (async) start_timer(async);
  switch_stack(stack_top, boot);
}
