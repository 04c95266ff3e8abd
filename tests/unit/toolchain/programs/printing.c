/*
 * snprintf into places of every size, against a stream of any length; what is left where a format is wrong or a number too large; streams
 * with and without a buffer, and one that cannot be written to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static volatile size_t endless = SIZE_MAX, one = 1;

static void require(int holds, const char *format, long n) {
  if (holds)
    return;
  printf("'%s': size %ld\n", format, n);
  exit(1);
}

/* The text at all sizes up to one that is too large, and no byte behind them. */
__attribute__((format(printf, 2, 3))) static void same(const char *right, const char *format, ...) {
  va_list list;
  char place[700], *all;
  int length = (int)strlen(right);
  va_start(list, format);
  require(vasprintf(&all, format, list) == length && !strcmp(all, right), format, -1);
  va_end(list);
  free(all);
  for (int n = 0; n <= length + 3; n++) {
    memset(place, '#', sizeof place);
    va_start(list, format);
    require(vsnprintf(n ? place : 0, (size_t)n, format, list) == length, format, n);
    va_end(list);
    int kept = n > length ? length : n - 1;
    require(n == 0 || (!memcmp(place, right, (size_t)kept) && place[kept] == 0), format, n);
    for (int i = n ? kept + 1 : 0; i < length + 3; i++)
      require(place[i] == '#', format, n);
  }
  memset(place, '#', sizeof place);
  va_start(list, format);
  require(vsprintf(place, format, list) == length && !strcmp(place, right) && place[length + 1] == '#', format, -2);
  va_end(list);
  va_start(list, format);
  require(vsnprintf(place, endless, format, list) == length && !strcmp(place, right), format, -3);
  va_end(list);
  for (int buffered = 0; buffered < 3; buffered++) {
    FILE *file = tmpfile();
    setvbuf(file, 0, buffered == 0 ? _IONBF : buffered == 1 ? _IOLBF : _IOFBF, buffered ? 64 : 0);
    va_start(list, format);
    require(vfprintf(file, format, list) == length, format, -10 - buffered);
    va_end(list);
    rewind(file);
    require((int)fread(place, 1, sizeof place, file) == length && !memcmp(place, right, (size_t)length), format, -20 - buffered);
    fclose(file);
  }
}

/* -1, that error, and so much of the text. */
static void wrong(int error, const char *left, const char *format, ...) {
  char place[100] = "before";
  va_list list;
  va_start(list, format);
  errno = 0;
  require(vsnprintf(place, sizeof place, format, list) == -1 && errno == error && !strcmp(place, left), format, -1);
  va_end(list);
  FILE *file = tmpfile();
  va_start(list, format);
  errno = 0;
  require(vfprintf(file, format, list) == -1 && errno == error, format, -2);
  va_end(list);
  rewind(file);
  memset(place, 0, sizeof place);
  require(fread(place, 1, sizeof place - 1, file) == strlen(left) && !strcmp(place, left), format, -3);
  fclose(file);
}

int main(void) {
  char many[601] = {0};
  const char *volatile none = 0;
  int count = 0;
  memset(many, 'x', 600);
  setlocale(LC_ALL, "C.UTF-8");
  same("", "%s", "");
  same("%", "%%");
  same("only text", "only text");
  same("100% 7", "100%% %d", 7);
  same("this and that", "%s and %s", "this", "that");
  same("-2147483648", "%d", INT_MIN);
  same("18446744073709551615 0", "%llu %d", ULLONG_MAX, 0);
  same("   42|42   |00042|+42| 42", "%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42);
  same("2 a 1", "%2$d %3$c %1$d", 1, 2, 'a');
  same("  7", "%2$*1$d", 3, 7);
  same("(null)", "%s", none);
  same("ab", "%.2s", "abcdef");
  same("0xff ff 0377", "%#x %x %#o", 255, 255, 255);
  same("1.500000 1.5e+00 1.5", "%f %.1e %g", 1.5, 1.5, 1.5);
  same("a\nline\nand", "a\n%s\n%s", "line", "and");
  same("w\xc3\xa9", "%ls", L"w\xe9");
  same(many, "%s", many);
  same(many, "%sxxx", many + 3);
  errno = ENOENT;
  same("No such file or directory", "%m");
  same("abc5", "abc%n%d", &count, 5);
  require(count == 3, "%n", count);

  wrong(EINVAL, "", "abc%y");
  wrong(EINVAL, "", "%");
  wrong(EINVAL, "", "%l");
  wrong(EINVAL, "a5 b", "a%d b%y", 5);
  wrong(EINVAL, "5", "%d%", 5);
  wrong(EOVERFLOW, "", "%2147483648d", 1);
  wrong(EOVERFLOW, "a", "%s%2147483648d", "a", 1);
  wrong(EILSEQ, "ab", "%s%lc", "ab", (wint_t)0x7fffffff);

  FILE *reading = fopen("/dev/null", "r");
  require(fprintf(reading, "%d", 1) < 0 && ferror(reading), "read-only", 0);
  fclose(reading);
  char place[20] = "keep";
  require(snprintf(place, 0, "%d", 12345) == 5 && !strcmp(place, "keep"), "nothing", 0);
  require(snprintf(place, one, "%d", 12345) == 5 && !place[0] && place[1] == 'e', "nothing", 1);
  puts("done");
  return 0;
}
