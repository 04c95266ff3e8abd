/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Goes on through resume entries, on a stack of which only listed objects are left. */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

enum { POISON = 0xDB };
struct transproc_record *current;
char *scheduler_top;
static struct transproc_record *next_record;
static char *poison_low;

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

static void poison(char *low, char *high) { if (high > low) memset(low, POISON, high - low); }

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

void resume(struct transproc_record *first, char *low) {
  if (current) { release(frame_of(current)); current = 0; }
  poison_low = low;
  next_record = first;
  switch_stack(scheduler_top, start_over);
}

void jump_to(struct transproc_record *r) {
  while (current != r) { /* the inner frames are given up */
    struct transproc_record *outer = current->outer;
    release(frame_of(current));
    current = outer;
  }
  next_record = r;
  switch_stack(scheduler_top, resume_next);
}
