/*
 * Routines of the C library, each timed several times, for some milliseconds of CPU time together: prints a line "name nanoseconds" for each.
 * Usage: libc [part of a name]
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ENOUGH 1e5 /* nanoseconds for a time */
#define WINDOWS 40

static char A[1 << 17], B[1 << 17];
static const char *only = "";
volatile double fp_sink;
volatile long sink;

/* called through these, so that the compiler does not put its own code there */
#define CALLED(type, name, ...) static type (*volatile v_##name)(__VA_ARGS__) = name
CALLED(size_t, strlen, const char *);
CALLED(size_t, strnlen, const char *, size_t);
CALLED(char *, strchr, const char *, int);
CALLED(char *, strrchr, const char *, int);
CALLED(void *, memchr, const void *, int, size_t);
CALLED(void *, memrchr, const void *, int, size_t);
CALLED(int, strcmp, const char *, const char *);
CALLED(int, strncmp, const char *, const char *, size_t);
CALLED(int, strcasecmp, const char *, const char *);
CALLED(int, memcmp, const void *, const void *, size_t);
CALLED(char *, strcpy, char *, const char *);
CALLED(char *, strncpy, char *, const char *, size_t);
CALLED(char *, strcat, char *, const char *);
CALLED(char *, strstr, const char *, const char *);
CALLED(size_t, strspn, const char *, const char *);
CALLED(size_t, strcspn, const char *, const char *);
CALLED(void *, memcpy, void *, const void *, size_t);
CALLED(void *, memmove, void *, const void *, size_t);
CALLED(void *, memset, void *, int, size_t);
CALLED(void *, malloc, size_t);
CALLED(void, free, void *);
CALLED(void *, calloc, size_t, size_t);
CALLED(void *, realloc, void *, size_t);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Doubles the number of calls until they take long enough to be timed; the least of some such times: others only add to it. */
#define TIME_EACH(name, per_turn, statement) \
  do { \
    if (!strstr(name, only)) \
      break; \
    double spent = 0, least = 1e18; \
    long turns = 1; \
    for (int left = WINDOWS; left;) { \
      double start = now(); \
      for (long i = 0; i < turns; i++) { \
        statement; \
      } \
      spent = now() - start; \
      if (spent < ENOUGH) { \
        turns *= spent < ENOUGH / 8 ? 4 : 2; \
        continue; \
      } \
      least = spent / turns < least ? spent / turns : least; \
      left--; \
    } \
    printf("%s %.3f\n", name, least / (per_turn)); \
  } while (0)
#define TIME(name, statement) TIME_EACH(name, 1, statement)

static void strings(size_t n) {
  char name[40];
  const int low = n < 100 ? 3 : 0; /* short ones are not aligned */
  char *a = A + low, *b = B + low + (low ? 4 : 0);
  memset(a, 'x', n);
  memset(b, 'x', n);
  a[n] = b[n] = 0;
#define SIZED(what) (snprintf(name, sizeof name, what "-%zu", n), name)
  TIME(SIZED("strlen"), sink = v_strlen(b));
  TIME(SIZED("strnlen"), sink = v_strnlen(b, n + 9));
  TIME(SIZED("strchr"), sink = v_strchr(b, 'y') != 0);
  TIME(SIZED("strrchr"), sink = v_strrchr(b, 'y') != 0);
  TIME(SIZED("memchr"), sink = v_memchr(b, 'y', n) != 0);
  TIME(SIZED("memrchr"), sink = v_memrchr(b, 'y', n) != 0);
  TIME(SIZED("strcmp"), sink = v_strcmp(a, b));
  TIME(SIZED("strncmp"), sink = v_strncmp(a, b, n + 9));
  TIME(SIZED("strcasecmp"), sink = v_strcasecmp(a, b));
  TIME(SIZED("memcmp"), sink = v_memcmp(a, b, n));
  TIME(SIZED("strstr"), sink = v_strstr(a, "xyz") != 0);
  TIME(SIZED("strspn"), sink = v_strspn(a, "xyz"));
  TIME(SIZED("strcspn"), sink = v_strcspn(a, "ayz"));
  TIME(SIZED("strcpy"), v_strcpy(b, a));
  TIME(SIZED("strncpy"), v_strncpy(b, a, n));
  TIME(SIZED("strcat"), (*b = 0, v_strcat(b, a)));
  TIME(SIZED("memcpy"), v_memcpy(b, a, n));
  TIME(SIZED("memmove"), v_memmove(b, b + 8, n));
  TIME(SIZED("memset"), v_memset(b, 1, n));
}

static void mathematics(void) {
  double x = 0.37, s = 0;
  float y = 0.37f;
#define REAL(name, expression) \
  x = 0.37; \
  TIME(name, (x += 1e-6, s += (expression)))
  REAL("floor", floor(x * 3));
  REAL("ceil", ceil(x * 3));
  REAL("trunc", trunc(x * 3));
  REAL("round", round(x * 3));
  REAL("rint", rint(x * 3));
  REAL("nearbyint", nearbyint(x * 3));
  REAL("lrint", (double)lrint(x * 3));
  REAL("lround", (double)lround(x * 3));
  REAL("fabs", fabs(x - 1));
  REAL("fmax", fmax(x, 0.5));
  REAL("fmin", fmin(x, 0.5));
  REAL("sqrt", sqrt(x));
  REAL("fma", fma(x, x, x));
  REAL("hypot", hypot(x, 1));
  REAL("cbrt", cbrt(x));
  REAL("exp", exp(x));
  REAL("exp2", exp2(x));
  REAL("expm1", expm1(x));
  REAL("log", log(x));
  REAL("log2", log2(x));
  REAL("log10", log10(x));
  REAL("log1p", log1p(x));
  REAL("pow", pow(x, 1.3));
  REAL("sin", sin(x));
  REAL("cos", cos(x));
  REAL("tan", tan(x));
  REAL("asin", asin(x * 0.1));
  REAL("atan", atan(x));
  REAL("atan2", atan2(x, 0.7));
  REAL("sinh", sinh(x));
  REAL("tanh", tanh(x));
  REAL("erf", erf(x));
  REAL("fmod", fmod(x, 0.1));
  REAL("ldexp", ldexp(x, 3));
  REAL("expf", (y += 1e-6f, expf(y)));
  REAL("logf", (y += 1e-6f, logf(y)));
  REAL("sinf", (y += 1e-6f, sinf(y)));
  REAL("powf", (y += 1e-6f, powf(y, 1.3f)));
  fp_sink = s + y;
}

static int by_int(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static unsigned random_state = 1;

static unsigned next_random(void) { return random_state = random_state * 1664525 + 1013904223; }

static void sorting(void) {
  static int numbers[100000];
  static char words[10000][24];
  TIME_EACH("qsort-int-100000", 1e5, {
    for (int k = 0; k < 100000; k++)
      numbers[k] = next_random() >> 1;
    qsort(numbers, 100000, sizeof *numbers, by_int);
  });
  TIME_EACH("qsort-sorted-100000", 1e5, qsort(numbers, 100000, sizeof *numbers, by_int));
  TIME_EACH("qsort-int-20", 20, {
    for (int k = 0; k < 20; k++)
      numbers[k] = next_random() >> 1;
    qsort(numbers, 20, sizeof *numbers, by_int);
  });
  TIME_EACH("qsort-text-10000", 1e4, {
    for (int k = 0; k < 10000; k++)
      snprintf(words[k], sizeof *words, "%u", next_random());
    qsort(words, 10000, sizeof *words, by_text);
  });
  TIME("bsearch", sink += bsearch(&numbers[i % 20], numbers, 20, sizeof *numbers, by_int) != 0);
}

static void memory(void) {
  void *held[256] = {0};
  TIME("malloc-free-16", v_free(v_malloc(16)));
  TIME("malloc-free-1000", v_free(v_malloc(1000)));
  TIME("malloc-free-100k", v_free(v_malloc(100000)));
  TIME("malloc-free-1M", v_free(v_malloc(1 << 20)));
  TIME("malloc-fill-1M", {
    char *p = v_malloc(1 << 20);
    memset(p, (int)i, 1 << 20);
    sink = p[i & 1023];
    v_free(p);
  });
  TIME("malloc-mixed", {
    int k = next_random() >> 24;
    v_free(held[k]);
    held[k] = v_malloc(16 + (next_random() >> 22 & 255));
  });
  TIME("malloc-wide", {
    int k = next_random() >> 24;
    v_free(held[k]);
    held[k] = v_malloc((size_t)1 << (4 + (next_random() >> 22) % 13));
  });
  for (int k = 0; k < 256; k++)
    v_free(held[k]);
  TIME_EACH("malloc-many", 20000, {
    static void *many[20000];
    for (int k = 0; k < 20000; k++)
      many[k] = v_malloc(24 + k % 40);
    for (int k = 0; k < 20000; k++)
      v_free(many[k]);
  });
  TIME("calloc-200", v_free(v_calloc(1, 200)));
  TIME("calloc-64k", v_free(v_calloc(1, 65536)));
  TIME_EACH("realloc-grow", 1000, {
    void *p = 0;
    for (int k = 1; k <= 1000; k++)
      p = v_realloc(p, k * 16);
    v_free(p);
  });
}

static void text(void) {
  char b[100];
  FILE *null = fopen("/dev/null", "w");
  TIME("snprintf-%d", sink = snprintf(b, sizeof b, "%d", (int)i));
  TIME("snprintf-%s", sink = snprintf(b, sizeof b, "%s and %s", "this", "that"));
  TIME("snprintf-%.6f", sink = snprintf(b, sizeof b, "%.6f", i * 0.37));
  TIME("snprintf-%g", sink = snprintf(b, sizeof b, "%g", i * 0.37));
  TIME("snprintf-%.17g", sink = snprintf(b, sizeof b, "%.17g", i * 0.37));
  TIME("strtod", fp_sink = strtod("3.14159265358979", 0));
  TIME("strtol", sink = strtol("123456789", 0, 10));
  TIME("atoi", sink = atoi("12345"));
  TIME("sscanf-%d", sscanf("12345 678", "%d", (int *)b));
  TIME("sscanf-%lf", sscanf("3.14159265358979 2", "%lf", (double *)b));
  TIME("rand", sink += rand());
  TIME("putc", putc((int)i, null));
  TIME("putc_unlocked", putc_unlocked((int)i, null));
  TIME("fputs", fputs("a line of text\n", null));
  TIME("fwrite-1000", fwrite(A, 1, 1000, null));
  TIME("fprintf", fprintf(null, "%d %s\n", (int)i, "text"));
  fclose(null);
  FILE *file = tmpfile();
  for (int k = 0; k < 2000; k++)
    fputs("a line of text, and a bit more of it\n", file);
  TIME("getc", if (getc(file) < 0) rewind(file));
  TIME("fgets", if (!fgets(b, sizeof b, file)) rewind(file));
  TIME("fread-100", if (fread(b, 1, 100, file) < 100) rewind(file));
  fclose(file);
}

static void locks(void) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  TIME("pthread_mutex_lock+unlock", pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex));
}

int main(int argc, char **argv) {
  if (argc > 1)
    only = argv[1];
  static const size_t sizes[] = {5, 14, 40, 200, 1000, 4000, 100000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    strings(sizes[i]);
  mathematics();
  sorting();
  memory();
  text();
  locks();
  return 0;
}
