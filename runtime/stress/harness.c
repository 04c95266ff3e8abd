/* In-process stress of the compiler: a program migrates onto itself, on one ISA, without CRIU.
 *
 * At chosen moments the machine stack is read through the stack maps, resume records are written, every byte of the old
 * stack that is not part of a listed object is overwritten, and the program goes on through its resume entries. Moments are
 *   - calls of transproc_hook(), which `transproc-codegen --stress` inserts (TRANSPROC_RATE=n: every nth, on average);
 *   - breakpoints at points and return addresses, armed by a timer (TRANSPROC_ASYNC=microseconds).
 * Other variables: TRANSPROC_SEED, TRANSPROC_MAX (migrations), TRANSPROC_VERBOSE, TRANSPROC_LENIENT (go on when a stack has a
 * frame without stack map, instead of failing).
 *
 * The program's main must be called program_main; its objects need unwind tables (transproc-codegen --unwind-tables).
 * The formats are those of docs/format.md, sections 3 and 4. */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_REGIONS = 64 };
static const size_t stack_size = 1u << 30, poison_byte = 0xDB;

/* One activation that waits to be resumed. */
struct frame {
  struct function *function;
  size_t object_count;     /* listed objects, including dynamic regions' owners */
  size_t region_count;     /* dynamic allocas: [low, high) of each activation of this frame so far */
  struct { char *low, *high; } regions[MAX_REGIONS];
  char *low;               /* lowest byte that this frame or an outer one owns; 0: not yet known */
  struct transproc_record record;
};
static struct frame *frame_of(struct transproc_record *r) { return (struct frame *)((char *)r - offsetof(struct frame, record)); }

static char *stack_low, *stack_top, *scheduler_top, *poison_low;
static struct transproc_record *current, *next_record, *sentinel;
static unsigned long hooks, migrations, frames_moved, refused, async_stops, return_stops;
static unsigned long max_migrations = ~0ul;
static long rate, countdown = -1;
static unsigned long long random_state = 88172645463325252ull;
static int verbose, lenient;

static unsigned long long next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}
static long next_countdown(void) { return rate <= 1 ? rate : 1 + (long)(next_random() % (2 * rate - 1)); }

static void *allocate(size_t size) {
  void *p = 0;
  if (posix_memalign(&p, 64, (size + 63) & ~63ul)) fail("out of memory", size);
  return p;
}

/* ---- reading a frame ---- */

struct machine_frame { struct _Unwind_Context *unwind; uint64_t sp; ucontext_t *stopped; };

static void read_register(const struct machine_frame *f, unsigned reg, unsigned char out[16]) {
  memset(out, 0, 16);
  uint64_t v = reg == DWARF_SP ? f->sp : 0;
  if (reg >= DWARF_VECTOR && reg < DWARF_VECTOR + 32) {
    if (f->stopped) {
      memcpy(out, vector_register(f->stopped, reg - DWARF_VECTOR), 16);
      return;
    }
    if (!CALLEE_SAVED_VECTORS) fail("vector register in the list of a call", reg);
  }
  if (reg != DWARF_SP) v = f->stopped ? general_register(f->stopped, reg) : _Unwind_GetGR(f->unwind, reg);
  memcpy(out, &v, 8);
}
static uint64_t register_value(const struct machine_frame *f, unsigned reg) {
  unsigned char b[16]; uint64_t v;
  read_register(f, reg, b);
  memcpy(&v, b, 8);
  return v;
}
static void read_location(const struct machine_frame *f, const struct site *s, const struct location *l, unsigned char out[16]) {
  uint64_t v;
  switch (l->kind) {
  case LOCATION_REGISTER:
    read_register(f, l->reg, out);
    if (l->offset) { memcpy(&v, out, 8); v >>= l->offset; memcpy(out, &v, 8); }
    return;
  case LOCATION_DIRECT: v = register_value(f, l->reg) + l->offset; break;
  case LOCATION_INDIRECT:
    memset(out, 0, 16);
    memcpy(out, (void *)(register_value(f, l->reg) + l->offset), l->size);
    return;
  default: v = constant_of(s, l);
  }
  memset(out, 0, 16);
  memcpy(out, &v, 8);
}

static void capture_result(const struct machine_frame *f, uint32_t descriptor, unsigned char *out) {
  unsigned used[3] = {0, 0, 0}; size_t at = 0;
  for (; descriptor & 3; descriptor >>= 8) {
    unsigned class = descriptor & 3, size = 1u << (descriptor >> 2 & 7), n = used[class]++;
    at = (at + size - 1) & -(size_t)size;
    if (class == 1) {
      uint64_t v = general_register(f->stopped, result_registers[n]);
      if (descriptor & 32) v &= 1;
      memcpy(out + at, &v, size);
    } else
      memcpy(out + at, vector_register(f->stopped, n), size);
    at += size;
  }
}

static void read_objects(const struct machine_frame *f, struct frame *frame) {
  const struct site *s = frame->function->objects;
  if (!s) return;
  uint64_t head = constant_of(s, s->objects);
  size_t n = (uint32_t)head;
  if (s->objects_count != 1 + 2 * n) fail("length of an object list", s->id);
  frame->record.objects = calloc(n + 1, sizeof(void *));
  frame->object_count = n;
  for (size_t i = 0; i < n; i++) {
    const struct location *l = s->objects + 1 + 2 * i;
    if (l->kind != LOCATION_DIRECT) fail("an object is not direct", s->id);
    frame->record.objects[i] = (char *)register_value(f, l->reg) + l->offset;
  }
  if (head >> 32) { /* everything between the stack pointer and the frame's end; the end is known at the next frame */
    frame->region_count = 1;
    frame->regions[0].low = frame->regions[0].high = (char *)f->sp;
  }
}

static struct frame *read_frame(const struct machine_frame *f, const struct site *s) {
  unsigned narrow = s->header & 0xffff, wide = s->header >> 16 & 0xffff;
  size_t wide_offset = (8 * narrow + 15) & ~15ul, bytes = wide_offset + 16 * wide;
  struct frame *frame = allocate(sizeof *frame + bytes);
  memset(frame, 0, sizeof *frame);
  unsigned char *slots = (unsigned char *)frame->record.slots;
  memset(slots, 0xA5, bytes);
  for (unsigned i = 0; i < narrow + wide; i++) {
    unsigned char b[16];
    read_location(f, s, &s->values[i], b);
    if (i < narrow) memcpy(slots + 8 * i, b, 8);
    else memcpy(slots + wide_offset + 16 * (i - narrow), b, 16);
  }
  frame->function = s->function;
  frame->record.enter = s->function->resume;
  frame->record.site = s->id;
  if (f->stopped && !(s->id & 1)) capture_result(f, s->header >> 32, (unsigned char *)frame->record.result);
  if (!s->in_resume) read_objects(f, frame);
  return frame;
}

static void release(struct frame *f) { free(f->record.objects); free(f); }

/* ---- walking the stack ---- */

void transproc_stress_loop(struct transproc_record *r);
int transproc_stress_boot(int argc, char **argv);

struct walk { struct frame *first, *last; int done, bad, count, innermost; ucontext_t *stopped; char *last_sp; };

static void append(struct walk *w, struct frame *f) {
  if (w->last) w->last->record.outer = &f->record;
  else w->first = f;
  w->last = f;
  w->count++;
}

/* Now that the caller's frame is reached, the end of the last one is known. */
static void finish_last(struct walk *w, struct _Unwind_Context *u) {
  struct frame *f = w->last;
  if (!f) return;
  char *end = (char *)_Unwind_GetCFA(u);
  if (f->region_count == 1 && f->regions[0].high == f->regions[0].low) f->regions[0].high = end;
  if (w->innermost && f->object_count && end - w->last_sp == RETURN_ADDRESS_BYTES) { /* shrink-wrapping: no frame here */
    memset(f->record.objects, 0, f->object_count * sizeof(void *));
    f->region_count = 0;
  }
  w->innermost = 0;
}

/* A frame that runs in a resume entry keeps the objects of the frame it continues. */
static void inherit_objects(struct frame *to, struct frame *from, char *sp, char *end) {
  to->record.objects = from->record.objects;
  from->record.objects = 0;
  to->object_count = from->object_count;
  to->region_count = from->region_count;
  memcpy(to->regions, from->regions, sizeof to->regions);
  if (!to->function->dynamic) return;
  char *bottom = (char *)to->record.slots[0];
  if (bottom >= sp && bottom < end) { /* allocas of the resume entry itself */
    if (to->region_count == MAX_REGIONS) fail("too many dynamic regions", to->record.site);
    to->regions[to->region_count].low = sp;
    to->regions[to->region_count++].high = end;
    return;
  }
  size_t kept = 0;
  for (size_t i = 0; i < to->region_count; i++)
    if (to->regions[i].high > bottom) {
      to->regions[kept] = to->regions[i];
      if (to->regions[kept].low < bottom) to->regions[kept].low = bottom;
      kept++;
    }
  to->region_count = kept;
}

static _Unwind_Reason_Code visit(struct _Unwind_Context *u, void *arg) {
  struct walk *w = arg;
  int before = 0;
  uint64_t pc = _Unwind_GetIPInfo(u, &before);
  void *start = _Unwind_FindEnclosingFunction((void *)(pc - 1));
  finish_last(w, u);
  if (start == (void *)transproc_stress_loop) {
    if (!w->last || w->last->record.enter != current->enter) fail("the loop called another function", pc);
    if (!w->bad) {
      inherit_objects(w->last, frame_of(current), w->last_sp, (char *)_Unwind_GetCFA(u));
      w->last->record.outer = current->outer;
    }
    w->done = 1;
    return _URC_END_OF_STACK;
  }
  if (start == (void *)transproc_stress_boot) {
    if (w->last) w->last->record.outer = sentinel;
    w->done = 1;
    return _URC_END_OF_STACK;
  }
  struct machine_frame f = {u, _Unwind_GetCFA(u), 0};
  const struct site *s;
  if (w->stopped) { /* our own frames, up to the interrupted one */
    if (!before) return _URC_NO_REASON;
    f.stopped = w->stopped;
    f.sp = stack_pointer(f.stopped);
    s = find_site(pc, 1);
    if (!s) s = find_site(pc, 0);
    w->stopped = 0;
    w->innermost = 1;
  } else
    s = find_site(pc, 0);
  if (!s) {
    if (!w->first) return _URC_NO_REASON;
    if (!lenient) fail("a frame has no stack map, pc", pc);
    w->bad = 1;
    return _URC_END_OF_STACK;
  }
  append(w, read_frame(&f, s));
  w->last_sp = (char *)f.sp;
  return _URC_NO_REASON;
}

/* ---- resuming ---- */

__attribute__((noinline, used)) static void enter_next(void) {
  current = next_record;
  transproc_stress_loop(current);
}
static void resume_next(void);
/* Not static: the walk recognises its frame. */
__attribute__((noinline)) void transproc_stress_loop(struct transproc_record *r) {
  r->enter(r);
  __asm__ volatile("" ::: "memory");
  next_record = current->outer;
  release(frame_of(current));
  current = 0;
  switch_stack(scheduler_top, resume_next);
}
/* Each frame runs below everything that it and the outer frames own. */
static void resume_next(void) { switch_stack((char *)(((uintptr_t)frame_of(next_record)->low - 64) & ~63ul), enter_next); }

struct interval { char *low, *high; };
static int by_address(const void *a, const void *b) {
  const struct interval *x = a, *y = b;
  return x->low < y->low ? -1 : x->low > y->low;
}
static struct interval *owned; static size_t owned_count, owned_capacity;
static void own(char *low, char *high) {
  if (owned_count == owned_capacity) owned = realloc(owned, (owned_capacity = 2 * owned_capacity + 256) * sizeof *owned);
  owned[owned_count++] = (struct interval){low, high};
}

static uint64_t object_shape(const struct frame *f, size_t i) {
  const struct site *s = f->function->objects;
  return constant_of(s, s->objects + 2 + 2 * i);
}

/* Sets frame->low and notes what the frame owns. */
static void place(struct frame *f, char *low) {
  if (f->object_count && !f->record.objects[0]) { /* no frame was set up: the objects do not exist yet */
    char *at = low;
    for (size_t i = 0; i < f->object_count; i++) {
      uint64_t shape = object_shape(f, i);
      at = (char *)(((uintptr_t)at - (shape & 0xffffffffffff)) & -(shape >> 48));
      f->record.objects[i] = at;
    }
  }
  for (size_t i = 0; i < f->object_count; i++) {
    char *at = f->record.objects[i];
    own(at, at + (object_shape(f, i) & 0xffffffffffff));
    if (at < low) low = at;
  }
  for (size_t i = 0; i < f->region_count; i++) {
    own(f->regions[i].low, f->regions[i].high);
    if (f->regions[i].low < low) low = f->regions[i].low;
  }
  f->low = low;
}

static void poison(char *low, char *high) { if (high > low) memset(low, (int)poison_byte, high - low); }

static void start_over(void) {
  static struct frame **chain; static size_t capacity;
  size_t n = 0;
  struct transproc_record *r = next_record;
  for (; !frame_of(r)->low; r = r->outer) {
    if (n == capacity) chain = realloc(chain, (capacity = 2 * capacity + 256) * sizeof *chain);
    chain[n++] = frame_of(r);
  }
  char *top = frame_of(r)->low;
  owned_count = 0;
  while (n--) place(chain[n], frame_of(chain[n]->record.outer)->low);
  qsort(owned, owned_count, sizeof *owned, by_address);
  char *at = poison_low;
  for (size_t i = 0; i < owned_count; i++) {
    poison(at, owned[i].low < top ? owned[i].low : top);
    if (owned[i].high > at) at = owned[i].high;
  }
  poison(at, top);
  resume_next();
}

/* Returns only if the stack cannot be migrated now. */
__attribute__((noinline)) static void migrate(ucontext_t *stopped) {
  struct walk w = {.stopped = stopped};
  _Unwind_Backtrace(visit, &w);
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
  if (current) { release(frame_of(current)); current = 0; }
  migrations++;
  frames_moved += w.count;
  char here;
  poison_low = (char *)(((uintptr_t)&here - 16384) & ~4095ul);
  if (poison_low < stack_low) poison_low = stack_low;
  next_record = w.first ? &w.first->record : sentinel;
  switch_stack(scheduler_top, start_over);
}

void transproc_hook(void) {
  hooks++;
  if (--countdown == 0) {
    countdown = next_countdown();
    if (migrations < max_migrations) migrate(0);
  }
}

/* ---- breakpoints ---- */

static unsigned char *saved_code; static volatile int armed; static uint64_t code_low = ~0ul, code_high;

static int may_stop(const struct site *s) { return (s->id & 1) || s->header >> 32 != 0xffffffff; }
static void arm(int on) {
  for (size_t i = 0; i < site_count; i++)
    if (on) memcpy(saved_code + 4 * i, (void *)sites[i].pc, sizeof breakpoint);
  for (size_t i = 0; i < site_count; i++)
    if (may_stop(&sites[i])) memcpy((void *)sites[i].pc, on ? breakpoint : saved_code + 4 * i, sizeof breakpoint);
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
static void start_timer(long microseconds) {
  for (size_t i = 0; i < site_count; i++) {
    if (sites[i].pc < code_low) code_low = sites[i].pc;
    if (sites[i].pc > code_high) code_high = sites[i].pc;
  }
  if (!site_count) return;
  code_low &= ~4095ul;
  code_high = (code_high + 8192) & ~4095ul;
  if (mprotect((void *)code_low, code_high - code_low, PROT_READ | PROT_WRITE | PROT_EXEC)) fail("mprotect", code_low);
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
