/* A program with an allocator of its own: the library uses that, and its own names do not get in the way. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) char arena[1 << 20];
static size_t used;
static int calls;

void *malloc(size_t size) {
  calls++;
  size = (size + 31) & ~(size_t)15;
  if (size > sizeof arena - used) {
    errno = ENOMEM;
    return NULL;
  }
  char *block = arena + used + 16;
  memcpy(block - 16, &size, sizeof size);
  used += size;
  return block;
}

void free(void *block) { calls += block != NULL; }

void *calloc(size_t n, size_t size) { return malloc(n * size); }

void *realloc(void *block, size_t size) {
  void *other = malloc(size);
  size_t old;
  if (block && other) {
    memcpy(&old, (char *)block - 16, sizeof old);
    memcpy(other, block, old - 16 < size ? old - 16 : size);
  }
  return other;
}

void *mi_malloc(size_t size) { return malloc(size); }
int two_way(int a) { return a + 1; }
int span(int a) { return a + 2; }

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
  char *text = strdup("a text"), *made = NULL;
  if (text < arena || text >= arena + sizeof arena || asprintf(&made, "%s %d", text, two_way(span(1))) != 8)
    return 1;
  char *many[300];
  for (int i = 0; i < 300; i++)
    if (asprintf(&many[i], "%d", i * 7919 % 300) < 0)
      return 1;
  qsort(many, 300, sizeof *many, by_text);
  for (int i = 1; i < 300; i++)
    if (strcmp(many[i - 1], many[i]) >= 0)
      return 1;
  FILE *file = fopen("/dev/null", "w");
  fclose(file);
  if (made < arena || made >= arena + sizeof arena || !calls)
    return 1;
  puts("done");
  return 0;
}
