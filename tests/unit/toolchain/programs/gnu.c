/* C11 and GNU constructs that language.c leaves out. Every line that is printed is defined by C or by gcc's manual. */
#include <complex.h>
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define KIND(x) _Generic((x), int: "int", double: "double", char *: "char *", float _Complex: "complex", default: "other")

typedef struct {
  int64_t a, b;
} Pair;
typedef struct {
  char c[3];
} Odd;
static _Atomic Pair atomic_pair;
static _Atomic Odd atomic_odd;
static _Atomic __int128 atomic_wide;

struct bits {
  unsigned a : 3, b : 7;
  signed c : 5;
  unsigned long d : 40;
  _Bool e : 1;
};
struct __attribute__((packed)) packed {
  char c;
  int i;
  double d;
};
struct flexible {
  int n;
  int values[];
};
typedef int v4 __attribute__((vector_size(16)));
typedef float v8 __attribute__((vector_size(32)));

static int log_index;
static char log_text[64];
static void note(char c) { log_text[log_index++] = c; }
__attribute__((constructor(101))) static void first(void) { note('a'); }
__attribute__((constructor(102))) static void second(void) { note('b'); }
__attribute__((destructor)) static void last(void) { puts("done"); }
static void at_exit(void) { puts("at exit"); }

int tentative;
int tentative;
extern int absent_datum __attribute__((weak));
extern int absent(void) __attribute__((weak));
int target(int x) { return x + 1; }
extern int aliased(int) __attribute__((alias("target")));
__attribute__((weak)) int replaceable(void) { return 5; }
__attribute__((section("odd_section"), used)) static int placed = 77;
__attribute__((visibility("hidden"))) int hidden = 3;
static alignas(256) char aligned[3];
static __thread int counter = 40;

static void cleaned(int *p) { note((char)('0' + *p)); }

static int old_style(a, b, c)
int a;
char b;
double c;
{
  return a + b + (int)c;
}
static int unprototyped();
static int unprototyped(int a, double b) { return a * (int)b; }

static int interpret(const char *program) {
  static void *table[] = {['+'] = &&add, ['-'] = &&subtract, ['*'] = &&twice, ['.'] = &&end};
  int value = 0;
#define NEXT goto *table[(unsigned char)*program++]
  NEXT;
add:
  value++;
  NEXT;
subtract:
  value--;
  NEXT;
twice:
  value *= 2;
  NEXT;
end:
  return value;
}

static int nested(int n, int m) {
  int grid[n][m], sum = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < m; j++)
      grid[i][j] = i * m + j;
  int(*row)[m] = grid + n - 1;
  char(*p)[sizeof grid / 2] = NULL;
  for (int j = 0; j < m; j++)
    sum += (*row)[j];
  return sum + (int)sizeof *p;
}

__attribute__((noinline)) static int even(unsigned n);
__attribute__((noinline)) static int odd(unsigned n) { return n ? even(n - 1) : 0; }
static int even(unsigned n) { return n ? odd(n - 1) : 1; }
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static volatile sig_atomic_t seen;
static void handler(int s) { seen = s; }
_Noreturn static void leave(void) { exit(0); }

static void attributes(void) {
  for (int i = 1; i < 3; i++) {
    __attribute__((cleanup(cleaned))) int x = i;
    if (i == 2)
      break;
  }
  printf("%s %d %d %d %d %d %d\n", log_text, aliased(1), replaceable(), placed, hidden, tentative, &absent_datum == NULL);
  printf("%d %zu %d %d\n", absent ? absent() : -1, (size_t)aligned % 256, ++counter, (int)alignof(max_align_t));
}

static void layouts(void) {
  struct bits b = {.c = -9, .a = 5, .d = 0xffffffffff, .e = 1};
  b.b = 200;
  struct flexible *f = malloc(sizeof *f + 4 * sizeof(int));
  *f = (struct flexible){.n = 4};
  for (int i = 0; i < 4; i++)
    f->values[i] = i * i;
  int table[] = {[5] = 1, 2, [1] = 7, [2 ... 3] = 9};
  printf("%zu %d %d %d %lx %d\n", sizeof b, b.a, b.b, b.c, (unsigned long)b.d, b.e);
  printf("%zu %zu %d %zu %d\n", sizeof(struct packed), offsetof(struct packed, d), f->values[3], sizeof table, table[3] + table[6]);
  free(f);
}

static void atomics(void) {
  atomic_store(&atomic_pair, ((Pair){1, 2}));
  Pair expected = {1, 2};
  int swapped = atomic_compare_exchange_strong(&atomic_pair, &expected, ((Pair){3, 4}));
  Pair now = atomic_load(&atomic_pair);
  atomic_store(&atomic_odd, ((Odd){"xy"}));
  Odd o = atomic_exchange(&atomic_odd, ((Odd){"zw"}));
  atomic_wide = ((__int128)1 << 100) + 7;
  atomic_wide += 5;
  __int128 w = atomic_wide / 3;
  printf("%d %d %d %s %llx %llx\n", swapped, (int)now.a, (int)now.b, o.c, (unsigned long long)(w >> 64), (unsigned long long)w);
}

static void builtins(unsigned x, int big) {
  int r;
  long long product;
  printf("%d %d %d %d %x %llx\n", __builtin_clz(x), __builtin_ctz(x), __builtin_popcount(x), __builtin_parity(x),
         __builtin_bswap32(x), (unsigned long long)__builtin_bswap64(x));
  printf("%d %d %d\n", __builtin_add_overflow(big, 1, &r), r, __builtin_mul_overflow(1LL << 40, 1LL << 30, &product));
  printf("%d %d %ld\n", __builtin_ffs(0x50), __builtin_constant_p(3), __builtin_expect((long)x, 1));
  __auto_type n = ({ int t = (int)x; t * 2; });
  printf("%d %s %s %s %s\n", n, KIND(1), KIND(1.0f), KIND((char *)0), KIND((float _Complex)0));
  char *p = __builtin_alloca(100);
  snprintf(p, 100, "%s", "alloca");
  puts(p);
  if (x == 0)
    __builtin_unreachable();
}

static void vectors(void) {
  v4 a = {1, 2, 3, 4}, b = a * a + 1, c = a > 2;
  v8 f = {1, 2, 3, 4, 5, 6, 7, 8};
  f = f * f / 3;
  b = __builtin_shufflevector(a, b, 7, 0, 5, 2);
  printf("%d %d %d %d %d %d %a\n", b[0], b[1], b[2], b[3], c[1], c[2], (double)f[7]);
}

static void numbers(void) {
  double complex z = 3.0 + 4.0 * I, w = cexp(z) / (1 - 2 * I);
  printf("%a %a %a\n", cabs(z), creal(csqrt(z)), creal(z * conj(z)));
  printf("%.12g %.12g\n", creal(w), cimag(w));
  volatile double one = 1, three = 3, zero = 0;
  const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (int i = 0; i < 4; i++) {
    fesetround(modes[i]);
    printf("%a ", one / three);
  }
  fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT);
  three = one / zero;
  printf("%d %d\n", !!fetestexcept(FE_DIVBYZERO), !!fetestexcept(FE_OVERFLOW));
  printf("%zu %zu %d\n", sizeof(long double), sizeof(wchar_t), (char)-1 < 0);
}

static void wide(void) {
  setlocale(LC_ALL, "C.UTF-8");
  wchar_t text[16];
  size_t n = mbstowcs(text, "gr\303\274n \342\202\254", 16);
  char back[32];
  printf("%zu %x %zu ", n, (unsigned)text[2], wcstombs(back, text, sizeof back));
  printf("%s %ls %d\n", back, L"w\u00ef", (int)(u'\u20ac' + U'\U0001f600'));
}

int main(void) {
  atexit(at_exit);
  attributes();
  layouts();
  atomics();
  builtins(0x12345678, 0x7fffffff);
  vectors();
  numbers();
  wide();
  int values[] = {5, 3, 9, 1};
  qsort(values, 4, sizeof *values, compare);
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  printf("%d %d %d\n", values[0], values[3], (int)seen == SIGUSR1);
  printf("%d %d %d %d %d\n", old_style(1, 'a', 2.5), unprototyped(6, 7.9), interpret("++*+-*."), nested(3, 5), even(1001));
  leave();
}
