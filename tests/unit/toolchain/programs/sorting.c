/* qsort and qsort_r: elements of all sizes, few and many, sorted before, equal; no more comparisons than n log n; stable; a comparison that
 * jumps away; and when there is no memory. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MOST 3000
#define LARGEST 70

static unsigned long calls;
static unsigned seed = 1;
static jmp_buf away;
static size_t width;

static unsigned next(void) { return (seed = seed * 1664525 + 1013904223) >> 8; }

static void require(int holds, const char *what, size_t n) {
  if (holds)
    return;
  printf("%s: %zu elements of %zu bytes\n", what, n, width);
  exit(1);
}

static int by_first(const void *a, const void *b) {
  calls++;
  return *(const unsigned char *)a - *(const unsigned char *)b;
}

static int by_all(const void *a, const void *b, void *factor) {
  calls++;
  return memcmp(a, b, width) * *(int *)factor;
}

static int jumping(const void *a, const void *b) {
  if (++calls == 51)
    longjmp(away, 1);
  return by_first(a, b);
}

static void sorted(unsigned char *elements, size_t n, int kind) {
  unsigned sum = 0, after = 0;
  for (size_t i = 0; i < n * width; i++)
    elements[i] = (unsigned char)next();
  for (size_t i = 0; i < n && kind == 1; i++)
    elements[i * width] = 'x';
  for (size_t i = 0; i < n && kind == 2; i++)
    elements[i * width] = (unsigned char)(i * 255 / n);
  for (size_t i = 0; i < n * width; i++)
    sum += elements[i] * (unsigned)(i % width + 1);
  size_t places = 1; /* log2, rounded up */
  while ((size_t)1 << places < n)
    places++;
  calls = 0;
  int factor = kind == 3 ? -1 : 1;
  if (kind >= 3) {
    qsort_r(elements, n, width, by_all, &factor);
    for (size_t i = 1; i < n; i++)
      require(memcmp(elements + (i - 1) * width, elements + i * width, width) * factor <= 0, "order", n);
  } else {
    for (size_t i = 0; i < n && width > 3; i++) /* equal ones are to keep their order */
      elements[i * width + 1] = (unsigned char)(i >> 8), elements[i * width + 2] = (unsigned char)i;
    sum = 0;
    for (size_t i = 0; i < n * width; i++)
      sum += elements[i] * (unsigned)(i % width + 1);
    qsort(elements, n, width, by_first);
    for (size_t i = 1; i < n; i++) {
      const unsigned char *a = elements + (i - 1) * width, *b = elements + i * width;
      require(*a <= *b, "order", n);
      if (width > 3 && *a == *b)
        require((a[1] << 8 | a[2]) < (b[1] << 8 | b[2]), "stable", n);
    }
  }
  for (size_t i = 0; i < n * width; i++)
    after += elements[i] * (unsigned)(i % width + 1);
  require(sum == after, "elements", n);
  require(calls <= n * places, "comparisons", n);
}

static int by_int(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void without_memory(void) {
  size_t n = 4 << 20;
  int *numbers = malloc(n * sizeof *numbers);
  for (size_t i = 0; i < n; i++)
    numbers[i] = (int)(i * 2654435761u % 100000);
  n = 100000;
  struct rlimit none = {0, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &none); /* emulators do not obey it */
  qsort(numbers, n, sizeof *numbers, by_int);
  for (size_t i = 1; i < n; i++)
    require(numbers[i - 1] <= numbers[i], "in place", n);
}

int main(void) {
  unsigned char *elements = malloc(MOST * LARGEST);
  for (width = 1; width <= LARGEST; width += width < 20 ? 1 : 7)
    for (int kind = 0; kind <= 4; kind++) {
      for (size_t n = 0; n <= 20; n++)
        sorted(elements, n, kind);
      sorted(elements, 100 + next() % 100, kind);
      if (width % 4 == 0 || width > 60)
        sorted(elements, MOST, kind);
    }
  width = 8;
  for (int i = 0; i < 1000; i++) {
    calls = 0;
    if (!setjmp(away))
      qsort(elements, 100, width, jumping);
    require(calls == 51, "jump", 100);
  }
  without_memory();
  puts("done");
  return 0;
}
