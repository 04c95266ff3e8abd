/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Walks the machine stack with gcc's unwinder; each frame is read through its site. */
#include "harness.h"
#include <string.h>

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
    if (to->region_count < MAX_REGIONS) to->regions[to->region_count++].high = end;
    to->regions[to->region_count - 1].low = sp; /* no more room: the last one grows, and what lies between is kept too */
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
  if (verbose > 1) fprintf(stderr, "stress: frame %lx site %lx\n", (unsigned long)pc, (unsigned long)s->id);
  append(w, read_frame(&f, s));
  w->last_sp = (char *)f.sp;
  return _URC_NO_REASON;
}

void walk_stack(struct walk *w) { _Unwind_Backtrace(visit, w); }
