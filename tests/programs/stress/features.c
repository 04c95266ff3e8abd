// One function for each feature of C that a migration must carry over; every value is printed. Stands alone, without headers,
// so that the compiler's own tests can use it.
typedef __builtin_va_list va_list;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef __SIZE_TYPE__ size_t;
int printf(const char *, ...);
int puts(const char *);
void *malloc(size_t);
void free(void *);
void *memcpy(void *, const void *, size_t);
int strcmp(const char *, const char *);
int atoi(const char *);
void abort(void) __attribute__((noreturn));
void exit(int) __attribute__((noreturn));
double sqrt(double), fabs(double), sin(double);
#define alloca __builtin_alloca
#define va_start __builtin_va_start
#define va_copy __builtin_va_copy
#define va_arg __builtin_va_arg
#define va_end __builtin_va_end
#define NI __attribute__((noinline))
typedef struct { long a, b; } LL; typedef struct { double d; long l; } DL_; typedef struct { float x, y; } FF;
typedef struct { float x, y, z; } F3; typedef struct { int a; float f; } IF; typedef struct { double x, y; } DD;
typedef struct { long v[9]; char c; } Big; typedef struct { char c[5]; } C5; typedef struct { short s; char c; } S3;
typedef int v4si __attribute__((vector_size(16))); typedef float v4sf __attribute__((vector_size(16))); typedef double v2df __attribute__((vector_size(16)));
typedef float v2sf __attribute__((vector_size(8))); typedef short v4hi __attribute__((vector_size(8))); typedef char v4qi __attribute__((vector_size(4))); typedef int v8si __attribute__((vector_size(32)));typedef long v2di __attribute__((vector_size(16))); typedef double v8df __attribute__((vector_size(64)));
volatile int vsink; volatile long vl = 3;
NI int step(int x) { int s = 0, n = (x & 3) + 1; __asm__("" : "+r"(n)); for (int i = 0; i < n; i++) { s += i ^ x; vsink = s; } return s; }
NI LL ll(long a) { step(a); return (LL){a * 3, a ^ 5}; }
NI DL_ dl(long a) { step(a); return (DL_){a * .5, a + 9}; }
NI FF ff(long a) { step(a); return (FF){a * .5f, a + 9}; }
NI F3 f3(long a) { step(a); return (F3){a * .5f, a + 9, a - .25f}; }
NI IF iff(long a) { step(a); return (IF){a, a / 3.f}; }
NI DD dd(long a) { step(a); return (DD){a * .125, 1.0 / (a + 1)}; }
NI Big big(long a) { Big b; step(a); for (int i = 0; i < 9; i++) b.v[i] = a * i + step(i); b.c = a; return b; }
NI C5 c5(long a) { C5 r = {{a, a + 1, a + 2, a + 3, a + 4}}; step(a); return r; }
NI S3 s3(long a) { S3 r = {a, -a}; step(a); return r; }
NI _Bool bl(long a) { return step(a) > 1; } NI signed char sc(long a) { return step(a) * 77; } NI unsigned char uc(long a) { return step(a) * 77; }
NI short ss(long a) { return step(a) * 7777; } NI unsigned short us(long a) { return step(a) * 7777; } NI float fl(long a) { return step(a) / 7.f; } NI double db(long a) { return step(a) / 7.; }
NI __int128 i128(long a) { return ((__int128)step(a) << 70) | a; }
NI v4si vi(long a) { int k = step(a); return (v4si){k, k + 1, k * 3, -k}; } NI v4sf vf(long a) { float k = step(a); return (v4sf){k, k + 1, k * 3, -k}; } NI v2df vd(long a) { return (v2df){step(a), .5}; }
NI v2sf v2(long a) { return (v2sf){step(a), .5f}; } NI v4hi v4h(long a) { short k = step(a); return (v4hi){k, k + 1, k * 3, -k}; } NI v4qi v4q(long a) { char k = step(a); return (v4qi){k, k + 1, k * 3, -k}; }
NI long takebig(Big b, int n, Big c) { long s = 0; for (int i = 0; i < 9; i++) { s += b.v[i] * n - c.v[8 - i]; b.v[i] ^= step(i); } s += b.v[2] + b.c + c.c; return s; }
NI long takemany(int a, long b, short c, char d, float e, double f, void *g, unsigned char h, int i, long j, LL k, DL_ l, double m, double n, double o, double p, double q, double r, double s, FF t) {
  long x = step(a) + step(b); return x + a + b + c + d + (long)e + (long)f + (g != 0) + h + i + j + k.a + k.b + (long)l.d + l.l + m + n + o + p + q + r + s + t.x + t.y; }
static void prv(const char *n, const void *p, int k) { unsigned char c[64]; memcpy(c, p, k); printf("%s ", n); for (int i = 0; i < k; i++) printf("%02x", c[i]); puts(""); }
NI void widths(long a) {
  _Bool b0 = bl(a); signed char c0 = sc(a + 1); unsigned char c1 = uc(a + 2); short s0 = ss(a + 3); unsigned short s1 = us(a + 4); int i0 = step(a + 5); float f0 = fl(a); double d0 = db(a + 1); __int128 q0 = i128(a);
  v4si v0 = vi(a); v4sf v1 = vf(a + 1); v2df v22 = vd(a + 2); v2sf v3 = v2(a); v4hi v4 = v4h(a); v4qi v5 = v4q(a);
  LL x = ll(a); DL_ y = dl(a); FF z = ff(a); F3 w = f3(a); IF u = iff(a); DD t = dd(a); C5 c5v = c5(a); S3 s3v = s3(a); Big g = big(a);
  for (int i = 0; i < 3; i++) {
    b0 ^= bl(a + i); c0 += sc(i); c1 *= uc(i) | 1; s0 -= ss(i); s1 ^= us(i); i0 += step(i); f0 = f0 * 1.5f + fl(i); d0 = d0 * .75 + db(i); q0 = q0 * 3 + i128(i);
    v0 = v0 * 3 + vi(i); v1 = v1 * 2.f + vf(i); v22 = v22 + vd(i); v3 = v3 * v2(i); v4 = v4 + v4h(i); v5 = v5 ^ v4q(i); x.a += ll(i).b; y.d += dl(i).d; z.x += ff(i).y; w.z += f3(i).x; u.f *= iff(i).f; t.y += dd(i).x;
  }
  printf("%d %d %d %d %d %d %a %a %lx %lx\n", b0, c0, c1, s0, s1, i0, f0, d0, (long)q0, (long)(q0 >> 64));
  prv("v0", &v0, 16); prv("v1", &v1, 16); prv("v22", &v22, 16); prv("v3", &v3, 8); prv("v4", &v4, 8); prv("v5", &v5, 4); prv("x", &x, 16); prv("y", &y, 16); prv("z", &z, 8); prv("w", &w, 12); prv("u", &u, 8); prv("t", &t, 16); prv("c5", &c5v, 5); prv("s3", &s3v.c, 1);
  printf("%ld\n", takebig(g, a, big(a + 1)));
  printf("%ld\n", takemany(1, 2, 3, 4, 5, 6, &a, 7, 8, 9, x, y, 10, 11, 12, 13, 14, 15, 16, z));
}
NI void wide(long a) { v8si p = {1, 2, 3, 4, 5, 6, 7, 8}; v8df q = {1, 2, 3, 4, 5, 6, 7, 8}; for (int i = 0; i < 4; i++) { p = p * (int)a + step(i); q = q * 1.25 + step(i + 1); } prv("p", &p, 32); prv("q", &q, 64); }
// function pointers, callbacks
typedef int (*cmp)(const void *, const void *);
NI void msort(void *b, size_t n, size_t s, cmp c) { if (n < 2) return; size_t h = n / 2; char *p = b; msort(p, h, s, c); msort(p + h * s, n - h, s, c); char tmp[n * s]; size_t i = 0, j = h, k = 0; while (i < h && j < n) { if (c(p + i * s, p + j * s) <= 0) memcpy(tmp + k++ * s, p + i++ * s, s); else memcpy(tmp + k++ * s, p + j++ * s, s); } while (i < h) memcpy(tmp + k++ * s, p + i++ * s, s); while (j < n) memcpy(tmp + k++ * s, p + j++ * s, s); memcpy(b, tmp, n * s); }
static int ncmp; NI int icmp(const void *a, const void *b) { ncmp++; step(1); return *(int *)a - *(int *)b; } NI int scmp(const void *a, const void *b) { ncmp++; return strcmp(*(char **)a, *(char **)b); }
NI void sorts(void) { int a[50]; for (int i = 0; i < 50; i++) a[i] = (i * 7919) % 101; msort(a, 50, 4, icmp); for (int i = 0; i < 50; i++) printf("%d ", a[i]); const char *w[] = {"pear", "apple", "fig", "zoo", "bar"}; msort(w, 5, 8, scmp); for (int i = 0; i < 5; i++) printf("%s ", w[i]); printf("%d\n", ncmp); }
// address of locals in the heap
struct node { int *val; struct node *next; };
NI long chain(int d, struct node *up) { int mine = d * 3; struct node *n = malloc(sizeof *n); n->val = &mine; n->next = up; long s = 0; if (d) { s = chain(d - 1, n); } else for (struct node *p = n; p; p = p->next) { s = s * 3 + *p->val; (*p->val)++; step(s); } s += mine; free(n); return s; }
// vla + alloca + stackrestore in loop
NI long vla(int n) { long s = 0; for (int i = 1; i < n; i++) { int a[i * 3]; for (int j = 0; j < i * 3; j++) a[j] = step(j) + i; for (int j = 0; j < i * 3; j++) s = s * 5 + a[j]; } char *q = alloca(n); for (int i = 0; i < n; i++) { char *r = alloca(i + 1); r[i] = step(i); q[i] = r[i] + 1; } for (int i = 0; i < n; i++) s += q[i]; return s; }
NI long aligned(int n) { _Alignas(64) char b[100]; _Alignas(32) int c[8]; for (int i = 0; i < 100; i++) b[i] = step(i + n); for (int i = 0; i < 8; i++) c[i] = b[i] + step(i); return ((uintptr_t)b & 63) + ((uintptr_t)c & 31) + b[n] + c[n & 7]; }
// interpreter: switch and computed goto
NI long sw(const unsigned char *p, long n) { long acc = 0, st[16]; int sp = 0; for (;;) switch (*p++) { case 0: return acc; case 1: acc += n; break; case 2: acc *= 3; break; case 3: st[sp++] = acc; break; case 4: acc ^= st[--sp]; break; case 5: acc += step(acc & 7); break; case 6: if (--n > 0) p -= *p; else p++; break; case 7: acc = sw(p + 1, n & 3) + acc; p += *p + 1; break; default: abort(); } }
NI long cg(const unsigned char *p, long n) { static void *T[] = {&&L0, &&L1, &&L2, &&L3, &&L4, &&L5, &&L6, &&L7}; long acc = 0, st[16]; int sp = 0;
#define N goto *T[*p++]
  N; L0: return acc; L1: acc += n; N; L2: acc *= 3; N; L3: st[sp++] = acc; N; L4: acc ^= st[--sp]; N; L5: acc += step(acc & 7); N; L6: if (--n > 0) p -= *p; else p++; N; L7: acc = cg(p + 1, n & 3) + acc; p += *p + 1; N; }
NI void die_(const char *m, int x) __attribute__((noreturn)); NI void die_(const char *m, int x) { step(x); printf("%s %d\n", m, step(x)); exit(3); }
NI int maydie(int x) { if (step(x) > 1000) die_("no", x); return x + 1; }
NI double vsum(int n, ...) { va_list ap, aq; va_start(ap, n); va_copy(aq, ap); double s = 0; for (int i = 0; i < n; i++) { s += va_arg(ap, int); s += va_arg(ap, double); s += step(i); long l = va_arg(ap, long); s += l; LL x = va_arg(ap, LL); s += x.a - x.b; Big b = va_arg(ap, Big); s += b.v[3]; } s += va_arg(aq, int); va_end(ap); va_end(aq); return s; }
__thread int tlsv = 5; NI long tls(int n) { int *p = &tlsv; long s = 0; for (int i = 0; i < n; i++) { *p += step(i); s += tlsv; } return s; }
NI void swap2(double *restrict a, double *restrict b, int n) { for (int i = 0; i < n; i++) { double t = a[i]; a[i] = b[i] + step(i & 1); b[i] = t; } }
NI double mat(int n) { double a[n][n], b[n][n], c[n][n]; for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) { a[i][j] = i + j * .5; b[i][j] = i * .25 - j; c[i][j] = 0; } for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) for (int k = 0; k < n; k++) c[i][j] += a[i][k] * b[k][j]; swap2(&a[0][0], &b[0][0], n * n); double s = 0; for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) s = s * .5 + c[i][j] + sqrt(fabs(a[i][j])) * sin(b[j][i]); return s; }
NI int even(unsigned n); NI int odd(unsigned n) { return n == 0 ? 0 : even(n - 1); } NI int even(unsigned n) { return n == 0 ? 1 : odd(n - 1); }
NI long dead(int n, long *p) { long x; if (n & 1) x = step(n); for (int i = 0; i < n; i++) { if (n & 1) *p += x; step(i); } return *p; }
int main(int argc, char **argv) {
  int rep = argc > 1 ? atoi(argv[1]) : 1;
  for (int r = 0; r < rep; r++) {
    for (long a = 0; a < 3; a++) widths(a + vl); wide(vl); sorts(); printf("%ld %ld %ld\n", chain(20, 0), vla(9), aligned(5));
    static const unsigned char prog[] = {1, 2, 3, 1, 5, 4, 3, 5, 2, 4, 6, 11, 7, 4, 1, 5, 2, 0, 5, 0};
    printf("%ld %ld\n", sw(prog, 9), cg(prog, 9)); printf("%d\n", maydie(3)); LL x = {7, 3}; Big b = big(4);
    printf("%a\n", vsum(2, 1, 2.5, 3L, x, b, 4, 5.5, 6L, x, b)); printf("%ld %a %d %d %ld\n", tls(5), mat(9), even(100), odd(77), dead(3, (long[]){4}));
    long (*fp[])(int) = {vla, aligned, tls}; long s = 0; for (int i = 0; i < 6; i++) s += fp[i % 3](i + 2); printf("%ld\n", s);
  }
  die_("bye", 2);
}
