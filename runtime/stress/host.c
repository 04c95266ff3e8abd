/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The host's C library for stressed programs: their variadic calls pass an array of 8-byte slots (llvm/lib/Varargs.cpp). The
 * stress builder renames printf to stress_printf, and so on, in the programs' objects. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A conversion as the program wrote it, without stars, and with 64-bit integers. */
struct conversion { char text[64]; char letter; int wide; };

static const char *read_conversion(const char *at, struct conversion *c, const uint64_t **slots) {
  size_t n = 0;
  memset(c, 0, sizeof *c);
  c->text[n++] = '%';
  for (; *at && !strchr("diouxXcspeEfFgGaA%", *at) && n < sizeof c->text - 24; at++)
    if (*at == '*') n += (size_t)sprintf(c->text + n, "%d", (int)*(*slots)++);
    else if (strchr("ljztL", *at)) c->wide = 1; /* long double is double */
    else c->text[n++] = *at;
  if (c->wide && strchr("diouxX", *at)) c->text[n++] = 'l';
  c->letter = *at;
  c->text[n] = *at;
  return *at ? at + 1 : at;
}

static int convert(FILE *out, const struct conversion *c, const uint64_t **slots) {
  if (c->letter == '%') return fputc('%', out);
  uint64_t value = *(*slots)++;
  double number;
  memcpy(&number, &value, sizeof number);
  if (c->letter == 's' || c->letter == 'p') return fprintf(out, c->text, (void *)(uintptr_t)value);
  if (strchr("eEfFgGaA", c->letter)) return fprintf(out, c->text, number);
  return c->wide ? fprintf(out, c->text, (long)value) : fprintf(out, c->text, (int)value);
}

/* The text that format and slots make, in memory of its own. */
static char *format_text(const char *format, const uint64_t *slots, size_t *size) {
  char *text = 0;
  FILE *out = open_memstream(&text, size);
  for (const char *at = format; *at;) {
    if (*at != '%') { fputc(*at++, out); continue; }
    struct conversion c;
    at = read_conversion(at + 1, &c, &slots);
    convert(out, &c, &slots);
  }
  fclose(out);
  return text;
}

int stress_vsnprintf(char *to, size_t room, const char *format, const uint64_t *slots) {
  size_t size;
  char *text = format_text(format, slots, &size);
  size_t kept = size < room ? size : room - 1;
  if (room) {
    memcpy(to, text, kept);
    to[kept] = 0;
  }
  free(text);
  return (int)size;
}
int stress_vfprintf(FILE *out, const char *format, const uint64_t *slots) {
  size_t size;
  char *text = format_text(format, slots, &size);
  fwrite(text, 1, size, out);
  free(text);
  return (int)size;
}
int stress_vprintf(const char *format, const uint64_t *slots) { return stress_vfprintf(stdout, format, slots); }
int stress_vsprintf(char *to, const char *format, const uint64_t *slots) { return stress_vsnprintf(to, ~(size_t)0 >> 1, format, slots); }
int stress_snprintf(char *to, size_t room, const char *format, const uint64_t *slots) { return stress_vsnprintf(to, room, format, slots); }
int stress_sprintf(char *to, const char *format, const uint64_t *slots) { return stress_vsprintf(to, format, slots); }
int stress_fprintf(FILE *out, const char *format, const uint64_t *slots) { return stress_vfprintf(out, format, slots); }
int stress_printf(const char *format, const uint64_t *slots) { return stress_vprintf(format, slots); }
