/* The functions of <string.h>, which read 16 bytes at a time, or 32 where the processor can: random strings of few different bytes, at all
 * alignments, across pages, and up to the last byte before one that cannot be accessed. Compared with loops over bytes. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include "processor.h"

#define PAGE 4096
#define ROUNDS 15000
#define NONE ((size_t)-1)

typedef unsigned char byte;

/* called through these, so that the compiler does not put its own code there */
static size_t (*volatile length)(const char *) = strlen;
static size_t (*volatile length_n)(const char *, size_t) = strnlen;
static char *(*volatile find)(const char *, int) = strchr;
static char *(*volatile find_or_end)(const char *, int) = strchrnul;
static char *(*volatile find_last)(const char *, int) = strrchr;
static void *(*volatile find_n)(const void *, int, size_t) = memchr;
static void *(*volatile find_last_n)(const void *, int, size_t) = memrchr;
static int (*volatile compare)(const char *, const char *) = strcmp;
static int (*volatile compare_n)(const char *, const char *, size_t) = strncmp;
static int (*volatile compare_case)(const char *, const char *) = strcasecmp;
static int (*volatile compare_case_n)(const char *, const char *, size_t) = strncasecmp;
static int (*volatile compare_memory)(const void *, const void *, size_t) = memcmp;
static char *(*volatile copy)(char *, const char *) = strcpy;
static char *(*volatile copy_end)(char *, const char *) = stpcpy;
static char *(*volatile copy_n)(char *, const char *, size_t) = strncpy;
static char *(*volatile copy_end_n)(char *, const char *, size_t) = stpncpy;
static char *(*volatile append)(char *, const char *) = strcat;
static char *(*volatile append_n)(char *, const char *, size_t) = strncat;
static size_t (*volatile copy_l)(char *, const char *, size_t) = strlcpy;
static void *(*volatile copy_until)(void *, const void *, int, size_t) = memccpy;
static char *(*volatile search)(const char *, const char *) = strstr;
static size_t (*volatile span)(const char *, const char *) = strspn;
static size_t (*volatile other_span)(const char *, const char *) = strcspn;
static char *(*volatile any)(const char *, const char *) = strpbrk;

static unsigned seed = 1;
static unsigned long checks;

static size_t below(size_t limit) {
  seed = seed * 1664525 + 1013904223;
  return (size_t)((unsigned long)seed * limit >> 32);
}

static void require(int holds, const char *what, size_t n, size_t a, size_t b) {
  checks++;
  if (holds)
    return;
  printf("%s: size %zu, %zu, %zu\n", what, n, a, b);
  exit(1);
}

static int sign(int value) { return (value > 0) - (value < 0); }

static size_t index_of(const void *found, const void *start) {
  return found ? (size_t)((const byte *)found - (const byte *)start) : NONE;
}

/* Three pages between pages that cannot be accessed. */
static byte *island(void) {
  byte *area = mmap(0, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED || mprotect(area + PAGE, 3 * PAGE, PROT_READ | PROT_WRITE))
    exit(2);
  return area + PAGE;
}

/* A place for n bytes: at the very end, at the very beginning, around the end of a page, anywhere. */
static byte *place(byte *area, size_t n) {
  switch (below(4)) {
  case 0: return area + 3 * PAGE - n;
  case 1: return area;
  case 2: return area + PAGE - below(n < PAGE ? n + 1 : PAGE);
  default: return area + below(3 * PAGE - n + 1);
  }
}

static size_t some_length(void) {
  switch (below(8)) {
  case 0: return below(600);
  case 1: return below(4500);
  default: return below(70);
  }
}

static void fill(byte *at, size_t n) {
  static const char letters[] = "aabAB\xc1z@[";
  for (size_t i = 0; i < n; i++)
    at[i] = letters[below(sizeof letters - 1)];
}

/* `n` bytes and a 0 at `a`, for functions of one string. */
static void one(const byte *a, size_t n) {
  const char *s = (const char *)a;
  int wanted = "abz[\xc1\0x"[below(7)];
  size_t first = NONE, last = NONE, limit = below(n + 20);
  for (size_t i = 0; i <= n; i++)
    if (a[i] == (byte)wanted) {
      last = i;
      if (first == NONE)
        first = i;
    }
  require(length(s) == n, "strlen", n, 0, 0);
  require(length_n(s, limit) == (limit < n ? limit : n), "strnlen", n, limit, 0);
  require(length_n(s, NONE) == n, "strnlen", n, NONE, 0);
  require(index_of(find(s, wanted), s) == first, "strchr", n, first, wanted);
  require(index_of(find(s, wanted | 0x100), s) == first, "strchr", n, first, wanted);
  require(index_of(find_or_end(s, wanted), s) == (first == NONE ? n : first), "strchrnul", n, first, wanted);
  require(index_of(find_last(s, wanted), s) == last, "strrchr", n, last, wanted);
  require(index_of(find_n(s, wanted, n + 1), s) == first, "memchr", n, first, wanted);
  if (limit <= n) {
    require(index_of(find_n(s, wanted, limit), s) == (first < limit ? first : NONE), "memchr", n, first, limit);
    size_t before = NONE;
    for (size_t i = 0; i < limit; i++)
      if (a[i] == (byte)wanted)
        before = i;
    require(index_of(find_last_n(s, wanted, limit), s) == before, "memrchr", n, before, limit);
  }
  if (first != NONE)
    require(index_of(find_n(s, wanted, NONE - 1000), s) == first, "memchr", n, first, NONE);
}

static void two(byte *a, byte *b, size_t n) {
  const char *s = (const char *)a, *t = (const char *)b;
  size_t limit = below(n + 20), i = 0, k = 0;
  while (a[i] && a[i] == b[i])
    i++;
  while (a[k] && tolower(a[k]) == tolower(b[k]))
    k++;
  int order = sign(a[i] - b[i]), order_case = sign(tolower(a[k]) - tolower(b[k]));
  require(sign(compare(s, t)) == order, "strcmp", n, i, 0);
  require(sign(compare_n(s, t, limit)) == (limit > i ? order : 0), "strncmp", n, i, limit);
  require(sign(compare_n(s, t, NONE)) == order, "strncmp", n, i, NONE);
  require(sign(compare_case(s, t)) == order_case, "strcasecmp", n, k, 0);
  require(sign(compare_case_n(s, t, limit)) == (limit > k ? order_case : 0), "strncasecmp", n, k, limit);
  require(sign(compare_memory(a, b, i + 1)) == order, "memcmp", n, i, 0);
  require(compare_memory(a, b, i) == 0, "memcmp", n, i, 1);
}

static int same(const byte *a, const byte *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (a[i] != b[i])
      return 0;
  return 1;
}

/* Whether nothing of the 64 bytes before `from` and behind `to` was written. */
static int clean(const byte *from, const byte *to, const byte *area) {
  for (const byte *p = from < area + 64 ? area : from - 64; p < from; p++)
    if (*p != '#')
      return 0;
  for (const byte *p = to; p < to + 64 && p < area + 3 * PAGE; p++)
    if (*p != '#')
      return 0;
  return 1;
}

static void copies(const byte *a, size_t n, byte *area) {
  const char *s = (const char *)a;
  size_t limit = below(n + 40), shorter = limit < n ? limit : n;
  size_t sizes[] = {n + 1, n + 1, limit, limit, limit <= n ? limit : n + 1, n + 2, shorter + 2, n + 1};
  for (int kind = 0; kind < 8; kind++) {
    memset(area, '#', 3 * PAGE);
    byte *to = place(area, sizes[kind]), *start = to, *end = to + sizes[kind];
    char *target = (char *)to;
    int right;
    switch (kind) {
    case 0: right = copy(target, s) == target; break;
    case 1: right = copy_end(target, s) == target + n; break;
    case 2: right = copy_n(target, s, limit) == target; break;
    case 3: right = copy_end_n(target, s, limit) == target + shorter; break;
    case 4: right = copy_l(target, s, limit) == n; break;
    case 5: *to++ = 'x', *to = 0, right = append(target, s) == target; break;
    case 6: *to++ = 'x', *to = 0, right = append_n(target, s, limit) == target; break;
    default: right = copy_until(target, s, 0, n + 1) == target + n + 1;
    }
    size_t kept = kind == 4 && limit <= n ? (limit ? limit - 1 : 0) : kind == 2 || kind == 3 || kind == 6 ? shorter : n;
    int ended = kind == 2 || kind == 3 ? 1 : kind == 4 && !limit ? 1 : !to[kept];
    for (byte *p = to + shorter; (kind == 2 || kind == 3) && p < to + limit; p++)
      ended &= !*p;
    require(right && ended && same(to, a, kept) && clean(start, end, area), "copy", n, limit, kind);
  }
}

/* Moved down over themselves, which is undefined in C and done by many programs. */
static void moved(byte *a, size_t n) {
  byte kept[PAGE * 3];
  size_t by = below(below(2) ? 40 : 5) + 1, limit = below(n + 40);
  if (n < by || n + 41 > PAGE)
    return;
  memcpy(kept, a, n + 1);
  require(copy((char *)a, (char *)a + by) == (char *)a && same(a, kept + by, n - by + 1), "strcpy down", n, by, 0);
  memcpy(a, kept, n + 1);
  if (limit > n - by)
    limit = n - by;
  copy_n((char *)a, (char *)a + by, limit);
  require(same(a, kept + by, limit) && same(a + limit, kept + limit, n + 1 - limit), "strncpy down", n, by, limit);
}

static void searches(const byte *a, size_t n) {
  const char *s = (const char *)a;
  char pattern[40];
  size_t size = below(below(3) ? 4 : 38), from = below(n + 1);
  for (size_t i = 0; i < size; i++)
    pattern[i] = below(9) && from + i < n ? s[from + i] : 'a';
  pattern[size] = 0;
  size_t at = 0;
  while (at + size <= n && !same(a + at, (byte *)pattern, size))
    at++;
  require(index_of(search(s, pattern), s) == (at + size <= n ? at : NONE), "strstr", n, size, at);
  size_t within = 0, without = 0;
  while (within < n && find(pattern, s[within]))
    within++;
  while (without < n && !find(pattern, s[without]))
    without++;
  require(span(s, pattern) == within, "strspn", n, within, 0);
  require(other_span(s, pattern) == without, "strcspn", n, without, 0);
  require(index_of(any(s, pattern), s) == (without < n ? without : NONE), "strpbrk", n, without, 0);
}

static void both(byte *a, byte *b, size_t n, byte *end) {
  two(a, b, n);
  if (!n)
    return;
  byte *changed = below(2) ? a : b;
  changed[below(n)] ^= below(2) ? 0x20 : 0x83;
  if (!memchr(a, 0, n) && !memchr(b, 0, n))
    two(a, b, n);
  if (below(2) && b + n + 1 <= end) /* one is shorter */
    b[below(n)] = 0, two(a, b, n);
  fill(a, n);
}

static void at_random(byte *first, byte *second) {
  for (int round = 0; round < ROUNDS; round++) {
    size_t n = some_length();
    byte *a = place(first, n + 1), *b = place(second, n + 1);
    fill(a, n);
    a[n] = 0;
    one(a, n);
    memcpy(b, a, n + 1);
    both(a, b, n, second + 3 * PAGE);
    if (n < 600 || round % 8 == 0)
      copies(a, n, second);
    if (n < 200 || round % 8 == 0)
      searches(a, n);
    moved(a, n);
  }
}

/* Of all lengths up to some blocks of the loops: so many bytes before the end of what can be accessed. */
static void every_length(byte *first, byte *second) {
  for (size_t n = 0; n <= 300; n++)
    for (size_t before = 0; before <= 32; before++) {
      byte *a = first + 3 * PAGE - before - n - 1, *b = second + 3 * PAGE - below(33) - n - 1;
      fill(a, n);
      a[n] = 0;
      one(a, n);
      memcpy(b, a, n + 1);
      both(a, b, n, second + 3 * PAGE);
      if (before % 11 == 0) {
        copies(a, n, second);
        searches(a, n);
        moved(a, n);
      }
    }
}

/* Nothing but the bytes that are sought, late: the first and the last of them, in each place of a long string. */
static void late(byte *area) {
  for (size_t n = 200; n < 500; n++) {
    byte *a = area + below(64);
    memset(a, 'x', n);
    a[n] = 0;
    one(a, n);
    for (size_t i = 0; i < n; i += 1 + below(9)) {
      a[i] = 'b';
      require(index_of(find((char *)a, 'b'), a) == i, "strchr", n, i, 0);
      require(index_of(find_n(a, 'b', n), a) == i, "memchr", n, i, 0);
      require(find_n(a, 'b', i) == 0, "memchr", n, i, 1);
      require(index_of(find_last((char *)a, 'b'), a) == i, "strrchr", n, i, 0);
      require(index_of(find_last_n(a, 'b', n), a) == i, "memrchr", n, i, 0);
      a[i] = 0;
      require(length((char *)a) == i, "strlen", n, i, 0);
      require(length_n((char *)a, i) == i && length_n((char *)a, i + 1) == i, "strnlen", n, i, 0);
      a[i] = 'x';
    }
  }
}

/* Two that differ late, or in the case of letters only: of one, or (`mixed`) of many. */
static void late_pairs(byte *first, byte *second, int mixed) {
  for (size_t n = 1; n < 600; n += 1 + below(5)) {
    byte *a = first + below(64), *b = second + below(64);
    const char *s = (const char *)a, *t = (const char *)b;
    memset(a, 'x', n);
    memset(b, 'x', n);
    a[n] = b[n] = 0;
    for (size_t i = 0; i < n; i += 1 + below(9)) {
      b[i] = 'X';
      require(mixed || sign(compare_memory(a, b, n)) == 1 && compare_memory(a, b, i) == 0, "memcmp", n, i, 2);
      require(compare_case(s, t) == 0, "strcasecmp", n, i, 1);
      require(compare_case_n(s, t, i + 1) == 0 && compare_case_n(s, t, NONE) == 0, "strncasecmp", n, i, 1);
      b[i] = 'Y';
      require(sign(compare_case(s, t)) == -1, "strcasecmp", n, i, 2);
      require(compare_case_n(s, t, i) == 0 && sign(compare_case_n(s, t, i + 1)) == -1, "strncasecmp", n, i, 2);
      b[i] = mixed && below(2) ? 'X' : 'x';
    }
  }
}

/* So many bytes and no end, up to what cannot be accessed, or from there on. */
static void without_end(byte *first, byte *second) {
  for (size_t n = 0; n <= 700; n++) {
    byte *a = first + 3 * PAGE - n, *b = second + 3 * PAGE - n;
    const char *s = (const char *)a, *t = (const char *)b;
    for (size_t i = 0; i < n; i++) {
      a[i] = 'A' + below(26);
      b[i] = a[i] | (below(200) ? 0 : 0x20);
    }
    require(length_n(s, n) == n, "strnlen", n, 0, 0);
    require(compare_case_n(s, t, n) == 0, "strncasecmp", n, 0, 0);
    require(find_n(a, 'z' + 1, n) == 0 && find_last_n(a, 'z' + 1, n) == 0, "memchr", n, 0, 2);
    require(compare_memory(a, a, n) == 0 && compare_n(s, s, n) == 0, "memcmp", n, 0, 2);
    memset(second, '#', 3 * PAGE);
    require(copy_end_n((char *)b, s, n) == (char *)b + n && same(a, b, n) && clean(b, b + n, second), "stpncpy", n, 0, 0);
    require(compare_memory(a, b, n) == 0, "memcmp", n, 0, 3);
    memset(first, 'a', n);
    require(find_last_n(first, 'z', n) == 0, "memrchr", n, 0, 0);
    if (n)
      first[0] = 'z', require(index_of(find_last_n(first, 'z', n), first) == 0, "memrchr", n, 0, 1);
  }
}

static void all(byte *first, byte *second) {
  at_random(first, second);
  every_length(first, second);
  late(first);
  late_pairs(first, second, 0);
  late_pairs(first, second, 1);
  without_end(first, second);
}

int main(void) {
  byte *first = island(), *second = island();
  all(first, second);
  forget_abilities();
  all(first, second);
  char nowhere[1]; /* nothing of nothing */
  require(copy_n(nowhere, (char *)first + 3 * PAGE, 0) == nowhere, "strncpy", 0, 0, 0);
  char *many = malloc(200001); /* a pattern that nearly fits everywhere */
  memset(many, 'a', 200000);
  many[200000] = 0;
  char needle[3001];
  memset(needle, 'a', 3000);
  needle[3000] = 0;
  require(search(many, needle) == many, "strstr", 0, 0, 0);
  needle[2999] = 'b';
  require(search(many, needle) == 0, "strstr", 0, 0, 1);
  printf("%lu checks\ndone\n", checks);
  return 0;
}
