/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reads one frame of the machine stack into a resume record. */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

void *allocate(size_t size) {
  void *p = 0;
  if (posix_memalign(&p, 64, (size + 63) & ~63ul)) fail("out of memory", size);
  return p;
}

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
    if (l->reg == DWARF_ZERO) { memset(out, 0, 16); return; }
    read_register(f, l->reg, out);
    if (l->offset) { memcpy(&v, out, 8); v >>= l->offset; memcpy(out, &v, 8); }
    return;
  case LOCATION_DIRECT:
    v = register_value(f, l->reg) + l->offset;
    if (s->in_resume) memcpy(&v, (void *)v, 8); /* a slot */
    break;
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
  if (head >> 32 & 1) { /* everything between the stack pointer and the frame's end; the end is known at the next frame */
    frame->region_count = 1;
    frame->regions[0].low = frame->regions[0].high = (char *)f->sp;
  }
}

struct frame *read_frame(const struct machine_frame *f, const struct site *s) {
  unsigned narrow = s->header.narrow, wide = s->header.wide;
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
  if (f->stopped && !(s->id & 1)) capture_result(f, s->header.result, (unsigned char *)frame->record.result);
  if (!s->in_resume) read_objects(f, frame);
  return frame;
}

void release(struct frame *f) { free(f->record.objects); free(f); }
