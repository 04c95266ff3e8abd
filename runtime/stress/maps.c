/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reads the running program's stack maps and function table. */
#include "harness.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

struct site *sites;
size_t site_count;
static struct function *functions;
static size_t function_count, site_capacity;

void fail(const char *message, uint64_t value) {
  fprintf(stderr, "stress: %s %#lx\n", message, (unsigned long)value);
  abort();
}

struct bytes { const unsigned char *start, *end; };

/* A loaded section of this executable. */
static struct bytes section(const char *name) {
  struct bytes found = {0, 0};
  FILE *f = fopen("/proc/self/exe", "rb");
  Elf64_Ehdr header;
  if (!f || fread(&header, sizeof header, 1, f) != 1) fail("cannot read the executable", 0);
  Elf64_Shdr *rows = malloc(header.e_shnum * sizeof *rows);
  fseek(f, header.e_shoff, SEEK_SET);
  if (fread(rows, sizeof *rows, header.e_shnum, f) != header.e_shnum) fail("cannot read section headers", 0);
  Elf64_Shdr *names = &rows[header.e_shstrndx];
  char *strings = malloc(names->sh_size);
  fseek(f, names->sh_offset, SEEK_SET);
  if (fread(strings, names->sh_size, 1, f) != 1) fail("cannot read section names", 0);
  for (int i = 0; i < header.e_shnum; i++)
    if (!strcmp(strings + rows[i].sh_name, name))
      found = (struct bytes){(void *)rows[i].sh_addr, (unsigned char *)rows[i].sh_addr + rows[i].sh_size};
  fclose(f);
  free(rows);
  free(strings);
  return found;
}

static int by_start(const void *a, const void *b) {
  const struct function *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}
static int by_pc(const void *a, const void *b) {
  const struct site *x = a, *y = b;
  if (x->pc != y->pc) return x->pc < y->pc ? -1 : 1;
  return (int)(x->id & 1) - (int)(y->id & 1);
}

static void load_functions(void) {
  struct bytes table = section(".transproc.functions");
  function_count = (table.end - table.start) / 24;
  functions = calloc(function_count + 1, sizeof *functions);
  for (size_t i = 0; i < function_count; i++) memcpy(&functions[i], table.start + 24 * i, 24);
  qsort(functions, function_count, sizeof *functions, by_start);
}
static struct function *owner(uint64_t start, uint64_t id, int *in_resume) {
  for (size_t i = 0; i < function_count; i++)
    if ((uint64_t)functions[i].start == start || (uint64_t)functions[i].resume == start) {
      if (functions[i].id_base != id >> 24 << 24) fail("a site's id does not belong to its function", id);
      *in_resume = (uint64_t)functions[i].resume == start;
      return &functions[i];
    }
  fail("a site belongs to no function", id);
}

uint64_t constant_of(const struct site *s, const struct location *l) {
  if (l->kind == LOCATION_CONSTANT) return (int64_t)l->offset;
  if (l->kind == LOCATION_CONSTANT_INDEX) return s->constants[l->offset];
  fail("not a constant", s->id);
}

/* Splits a record's locations into header, values and objects. */
static struct site make_site(uint64_t pc, uint64_t id, const struct location *l, unsigned n, const uint64_t *constants) {
  struct site s = {.pc = pc, .id = id, .constants = constants};
  if (!(id & 1)) { l += 3; n -= 3; } /* a statepoint's calling convention, flags, number of operands */
  uint64_t header = constant_of(&s, l);
  memcpy(&s.header, &header, sizeof header);
  s.values = l + 1;
  unsigned used = 1 + s.header.narrow + s.header.wide;
  if (used > n) fail("a list is too short", id);
  if (used < n) { s.objects = l + used; s.objects_count = n - used; }
  return s;
}

static const unsigned char *aligned(const unsigned char *p) { return (void *)(((uintptr_t)p + 7) & ~7ul); }

static const unsigned char *load_record(const unsigned char *p, uint64_t start, struct function **f, int *in_resume, const uint64_t *constants) {
  uint64_t id; uint32_t offset; uint16_t n, live_outs;
  memcpy(&id, p, 8);
  memcpy(&offset, p + 8, 4);
  memcpy(&n, p + 14, 2);
  if (!*f) *f = owner(start, id, in_resume);
  if (site_count == site_capacity) sites = realloc(sites, (site_capacity = 2 * site_capacity + 1024) * sizeof *sites);
  struct site *s = &sites[site_count++];
  *s = make_site(start + offset, id, (void *)(p + 16), n, constants);
  s->function = *f;
  s->in_resume = *in_resume;
  p = aligned(p + 16 + 12 * n);
  memcpy(&live_outs, p + 2, 2);
  return aligned(p + 4 + 4 * live_outs);
}

/* One object file's map: LLVM's StackMaps, version 3. */
static const unsigned char *load_map(const unsigned char *p) {
  uint32_t function_rows, constant_count;
  memcpy(&function_rows, p + 4, 4);
  memcpy(&constant_count, p + 8, 4);
  const uint64_t *row = (void *)(p + 16), *constants = row + 3 * function_rows;
  p = (void *)(constants + constant_count);
  for (; function_rows--; row += 3) {
    struct function *f = 0;
    int in_resume = 0;
    for (uint64_t i = 0; i < row[2]; i++) p = load_record(p, row[0], &f, &in_resume, constants);
  }
  return p;
}

void load_sites(void) {
  load_functions();
  struct bytes maps = section(".llvm_stackmaps");
  for (const unsigned char *p = maps.start; p && p + 16 <= maps.end;) p = *p == 3 ? load_map(p) : p + 8;
  qsort(sites, site_count, sizeof *sites, by_pc);
  for (size_t i = 0; i < site_count; i++)
    if (sites[i].objects) {
      sites[i].function->objects = &sites[i];
      sites[i].function->dynamic = constant_of(&sites[i], sites[i].objects) >> 32 & 1;
    }
}

const struct site *find_site(uint64_t pc, int point) {
  size_t low = 0, high = site_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (sites[middle].pc < pc) low = middle + 1;
    else high = middle;
  }
  for (; low < site_count && sites[low].pc == pc; low++)
    if ((sites[low].id & 1) == (unsigned)point) return &sites[low];
  return 0;
}
