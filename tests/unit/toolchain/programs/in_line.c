/* What headers put in line: streams without locks, bsearch; and each of them as a function. Small buffers, lines, ends, what was pushed back;
 * searches for every element and between them, with and without doubles. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 40

static int (*volatile put)(int, FILE *) = putc_unlocked;
static int (*volatile get)(FILE *) = getc_unlocked;
static void *(*volatile search)(const void *, const void *, size_t, size_t, int (*)(const void *, const void *)) = bsearch;

static void require(int holds, const char *what, int n) {
  if (holds)
    return;
  printf("%s: %d\n", what, n);
  exit(1);
}

/* All bytes there and back, through buffers of `size` (0: of the usual size). */
static void streams(int mode, size_t size) {
  char *buffer = size ? malloc(size) : 0, read_back[600];
  FILE *f = tmpfile();
  if (!f)
    exit(2);
  setvbuf(f, buffer, mode, size);
  for (int i = 0; i < 256; i++)
    require((i % 2 ? putc_unlocked(i | 0x300, f) : put(i, f)) == i, "putc_unlocked", i);
  for (int i = 0; i < 256; i++)
    require(fputc_unlocked(i, f) == i, "fputc_unlocked", i);
  require(fflush(f) == 0 && pread(fileno(f), read_back, sizeof read_back, 0) == 512, "written", mode);
  rewind(f);
  for (int i = 0; i < 512; i++) {
    int c = i % 3 == 0 ? getc_unlocked(f) : i % 3 == 1 ? fgetc_unlocked(f) : get(f);
    require(c == i % 256 && c == (unsigned char)read_back[i], "getc_unlocked", i);
    if (i % 7 == 0)
      require(ungetc(c, f) == c && getc_unlocked(f) == c, "ungetc", i);
  }
  require(getc_unlocked(f) == EOF && feof(f) && getc_unlocked(f) == EOF, "end", mode);
  fclose(f);
  free(buffer);
}

/* A stream of lines is written at the end of each. */
static void lines(void) {
  int ends[2];
  char got[10];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
    exit(2);
  FILE *f = fdopen(ends[0], "w"), *null = fopen("/dev/null", "r");
  setvbuf(f, 0, _IOLBF, 100);
  putc_unlocked('a', f);
  require(recv(ends[1], got, sizeof got, MSG_DONTWAIT) == -1, "line", 0);
  putc_unlocked('\n', f);
  require(recv(ends[1], got, sizeof got, MSG_DONTWAIT) == 2 && !memcmp(got, "a\n", 2), "line", 1);
  fclose(f);
  close(ends[1]);
  require(putc_unlocked('x', null) == EOF && ferror(null), "not for writing", 0);
  fclose(null);
}

static int calls;

static int by_int(const void *a, const void *b) {
  calls++;
  return *(const int *)a - *(const int *)b;
}

static void searches(void) {
  int numbers[MANY];
  for (int n = 0; n <= MANY; n++)
    for (int each = 1; each <= 3; each++) {
      for (int i = 0; i < n; i++)
        numbers[i] = i / each * 2;
      for (int wanted = -1; wanted <= n * 2; wanted++) {
        calls = 0;
        int *found = bsearch(&wanted, numbers, (size_t)n, sizeof *numbers, by_int);
        int there = wanted >= 0 && wanted % 2 == 0 && wanted / 2 * each < n;
        require(there ? found >= numbers && found < numbers + n && *found == wanted : !found, "bsearch", wanted);
        require(calls <= 6, "calls of bsearch", calls);
        require(!found == !search(&wanted, numbers, (size_t)n, sizeof *numbers, by_int), "bsearch", wanted);
      }
    }
}

int main(void) {
  streams(_IOFBF, 0);
  streams(_IOFBF, 3);
  streams(_IOLBF, 100);
  streams(_IONBF, 0);
  lines();
  searches();
  putchar_unlocked('.');
  putchar_unlocked('\n');
  require(getchar_unlocked() == EOF, "getchar_unlocked", 0);
  puts("done");
  return 0;
}
