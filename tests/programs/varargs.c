/*
 * Variable arguments: own variadic functions that take every type, structures among them (128-bit integers: see
 * varargs128.c), va_copy, va_list handed down and kept live across calls, and wrappers of vsnprintf.
 * Usage: varargs [rounds]
 */
#include <stdarg.h>

#include "program.h"

struct small {
  int16_t a, b, c;
};
struct point {
  double x, y;
};
struct mixed {
  int64_t i;
  float f;
};
struct large {
  int32_t v[10];
};

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 59); }

/* One letter of the format for each argument; the list is a local whose address goes to the callee. */
static NOINLINE uint64_t take(char letter, va_list *list, uint64_t sum) {
  switch (letter) {
  case 'b': return mix(sum, (uint64_t)va_arg(*list, int) & 1);
  case 'c': return mix(sum, (uint64_t)va_arg(*list, int));
  case 'u': return mix(sum, va_arg(*list, unsigned));
  case 'l': return mix(sum, (uint64_t)va_arg(*list, int64_t));
  case 'd': return mix_double(sum, va_arg(*list, double));
  case 's': {
    const char *text = va_arg(*list, const char *);
    return mix_bytes(sum, text, strlen(text));
  }
  case 'f': return va_arg(*list, uint64_t (*)(uint64_t))(sum);
  case 'S': {
    struct small s = va_arg(*list, struct small);
    return mix(mix(mix(sum, (uint64_t)s.a), (uint64_t)s.b), (uint64_t)s.c);
  }
  case 'P': {
    struct point p = va_arg(*list, struct point);
    return mix_double(mix_double(sum, p.x), p.y);
  }
  case 'M': {
    struct mixed m = va_arg(*list, struct mixed);
    return mix_double(mix(sum, (uint64_t)m.i), (double)m.f);
  }
  case 'L': {
    struct large l = va_arg(*list, struct large);
    return mix(mix(sum, (uint64_t)l.v[0]), (uint64_t)l.v[9]);
  }
  }
  CHECK(!"a letter of the format is unknown");
  return 0;
}

static NOINLINE uint64_t sum_all(const char *format, ...) {
  va_list list;
  va_start(list, format);
  uint64_t sum = 0;
  for (; *format != '\0'; format++)
    sum = take(*format, &list, sum);
  va_end(list);
  return sum;
}

/* Reads the list twice: a copy made in the middle must not move with the original. */
static NOINLINE uint64_t sum_twice(const char *format, ...) {
  va_list list, copy;
  va_start(list, format);
  uint64_t sum = take(format[0], &list, 0), first = sum, second = sum;
  va_copy(copy, list);
  for (const char *f = format + 1; *f != '\0'; f++)
    first = take(*f, &list, first);
  for (const char *f = format + 1; *f != '\0'; f++)
    second = take(*f, &copy, second);
  va_end(copy);
  va_end(list);
  CHECK(first == second);
  return first;
}

/* Recursion over one list: each frame takes an argument and leaves the rest to the next. */
static NOINLINE uint64_t consume(unsigned left, va_list *list) {
  if (left == 0)
    return 7;
  uint64_t mine = va_arg(*list, uint64_t);
  double real = va_arg(*list, double);
  return mix_double(mix(consume(left - 1, list), mine), real);
}

static NOINLINE uint64_t recursive(unsigned count, ...) {
  va_list list;
  va_start(list, count);
  uint64_t sum = consume(count, &list);
  va_end(list);
  return sum;
}

/* A wrapper of a wrapper of vsnprintf. */
static NOINLINE int format_list(char *buffer, size_t size, const char *format, va_list list) {
  int length = vsnprintf(buffer, size, format, list);
  CHECK(length >= 0);
  return length;
}

static NOINLINE __attribute__((format(printf, 3, 4))) uint64_t format_text(char *buffer, size_t size,
                                                                           const char *format, ...) {
  va_list list;
  va_start(list, format);
  int length = format_list(buffer, size, format, list);
  va_end(list);
  return mix_bytes((uint64_t)length, buffer, strlen(buffer));
}

static NOINLINE uint64_t formatted(uint64_t seed) {
  char text[128], cut[16];
  int number = (int)(seed & 0xffff);
  uint64_t sum = format_text(text, sizeof text, "%d %5u|%-6x|%c %s %08.3f %g %" PRIu64 " %%", -number, (unsigned)number,
                             (unsigned)number, 'a' + number % 26, "text", number * 0.125, number * 0.5, seed);
  int back;
  CHECK(sscanf(text, "%d", &back) == 1 && back == -number);
  sum = mix(sum, format_text(cut, sizeof cut, "%020d", number));
  CHECK(strlen(cut) == sizeof cut - 1);
  return sum;
}

/* Called through a pointer to a variadic function. */
typedef uint64_t (*variadic)(const char *, ...);
static variadic chosen[] = {sum_all, sum_twice};

static NOINLINE uint64_t each_kind(uint64_t seed) {
  int32_t n = (int32_t)(seed >> 40);
  struct small small = {1, (int16_t)n, -3};
  struct point point = {n * 0.5, 2.0};
  struct mixed mixed = {n, 0.25f};
  struct large large = {{n, 1, 2, 3, 4, 5, 6, 7, 8, -n}};
  variadic function = chosen[seed % 2];
  uint64_t sum = function("bculds", n & 1, 'x', (unsigned)n, (int64_t)seed, n * 0.25, "string");
  sum = mix(sum, function("SPML", small, point, mixed, large));
  sum = mix(sum, function("cldPuLfS", 1, (int64_t)seed, 0.5, point, 3u, large, step, small));
  sum = mix(sum, function("dddddddddddd", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, n * 1.5));
  sum = mix(sum, function("llllllllllll", (int64_t)1, (int64_t)2, (int64_t)3, (int64_t)4, (int64_t)5, (int64_t)6,
                          (int64_t)7, (int64_t)8, (int64_t)9, (int64_t)10, (int64_t)11, (int64_t)seed));
  return mix(sum, recursive(4, seed, 0.5, seed + 1, 1.5, seed + 2, 2.5, seed + 3, n * 0.5));
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 600000);
  uint64_t sum = opaque(17);
  for (long i = 0; i < rounds; i++) {
    sum = each_kind(sum);
    sum = mix(sum, formatted(sum));
    progress("varargs", i, rounds, sum);
  }
  return finish("varargs", sum);
}
