// Structures by value, atomics, complex numbers, setjmp, the floating-point environment, sorting, allocation.
#include <complex.h>
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct small { int a, b; };
struct floats { float x, y, z; };
struct mixed { double d; char c; };
struct large { long words[10]; };
union both { double d; uint64_t u; };

static struct small twice(struct small s) { return (struct small){ 2 * s.a, 2 * s.b }; }
static struct floats scaled(struct floats f, float k) { return (struct floats){ f.x * k, f.y * k, f.z * k }; }
static struct mixed changed(struct mixed m) { m.c++; m.d /= 2; return m; }
static struct large filled(struct large l, long x) { for (int i = 0; i < 10; i++) l.words[i] += x + i; return l; }
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static jmp_buf back;
static sigjmp_buf sigback;
static void deep(int n) { if (!n) longjmp(back, 42); deep(n - 1); }
static void jump(int sig) { siglongjmp(sigback, sig); }

static void jumps(void)
{
	volatile int count = 0;
	int r = setjmp(back);
	if (!r) deep(50);
	printf("setjmp %d\n", r);
	sigset_t now;
	if (!(r = sigsetjmp(sigback, 1))) {
		signal(SIGUSR1, jump);
		raise(SIGUSR1);
	}
	sigprocmask(SIG_BLOCK, 0, &now);
	printf("sigsetjmp %d masked %d\n", r, sigismember(&now, SIGUSR1));
	r = setjmp(back);
	if (++count < 3) longjmp(back, 0);
	printf("zero %d count %d size %zu\n", r, count, sizeof(jmp_buf));
}

static volatile double one = 1, three = 3, zero, huge = 1e300, tie = 2.5;

static void environment(void)
{
	int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
	for (int i = 0; i < 4; i++) {
		printf("mode %d %d: ", fesetround(modes[i]), fegetround() == modes[i]);
		printf("%.20f %.20f %g\n", one / three, -one / three, rint(tie));
	}
	fesetround(FE_TONEAREST);
	feclearexcept(FE_ALL_EXCEPT);
	volatile double r = one / zero;
	printf("divide %x\n", fetestexcept(FE_ALL_EXCEPT));
	r = huge * huge;
	printf("overflow %x\n", fetestexcept(FE_ALL_EXCEPT));
	fenv_t saved;
	feholdexcept(&saved);
	r = zero / zero;
	printf("invalid %x\n", fetestexcept(FE_ALL_EXCEPT));
	feupdateenv(&saved);
	printf("all %x %d\n", fetestexcept(FE_ALL_EXCEPT), fesetenv(FE_DFL_ENV));
	(void)r;
}

static void allocation(void)
{
	static char *blocks[500];
	unsigned seed = 1;
	unsigned long check = 0;
	for (int i = 0; i < 50000; i++) {
		seed = seed * 1103515245 + 12345;
		unsigned slot = seed >> 16 & 511, size = seed >> 8 & 4095;
		if (slot >= 500) continue;
		if (blocks[slot]) check += (unsigned char)blocks[slot][0];
		blocks[slot] = realloc(blocks[slot], size + 1);
		memset(blocks[slot], (int)(size & 255), size + 1);
	}
	printf("malloc %lu\n", check);
	char *large = malloc(50 << 20);
	memset(large, 1, 50 << 20);
	printf("large %d\n", large[12345678]);
	free(large);
}

int main(void)
{
	struct small s = twice((struct small){ 1, 2 });
	struct floats f = scaled((struct floats){ 1, 2, 3 }, 1.5f);
	struct mixed m = changed((struct mixed){ 5, 'a' });
	struct large l = filled((struct large){ { 1, 2, 3 } }, 100);
	printf("%d %d %g %g %g %g %c %ld %ld\n", s.a, s.b, f.x, f.y, f.z, m.d, m.c, l.words[0], l.words[9]);
	_Atomic __int128 wide = 5;
	atomic_fetch_add(&wide, 7);
	printf("atomic %d\n", (int)wide);
	double complex z = (1 + 2 * I) * (3 - 4 * I), q = (1 + 2 * I) / (3 - 4 * I);
	printf("complex %g %g %g %g %g\n", creal(z), cimag(z), creal(q), cimag(q), cabs(cexp(z)));
	double complex inf = (INFINITY + 1 * I) * (1 + 1 * I);
	printf("infinite %d\n", isinf(creal(inf)) || isinf(cimag(inf)));
	jumps();
	environment();
	allocation();
	int numbers[1000];
	for (int i = 0; i < 1000; i++) numbers[i] = i * 7919 % 1009;
	qsort(numbers, 1000, sizeof *numbers, compare);
	int find = 500, ordered = 1;
	for (int i = 1; i < 1000; i++) ordered &= numbers[i - 1] <= numbers[i];
	printf("qsort %d %d\n", ordered, bsearch(&find, numbers, 1000, sizeof *numbers, compare) != 0);
	unsigned __int128 product = (unsigned __int128)UINT64_MAX * UINT64_MAX;
	printf("wide %llx %d\n", (unsigned long long)(product / 12345 >> 20), (int)(product % 1000));
	printf("math %.17g %.17g %.17g %.17g %ld %d\n", sin(1), pow(2.5, 3.5), fma(0.1, 10, -1), tgamma(5.5), lrint(2.5), (int)(unsigned char)(float)300);
	printf("casts %d %u\n", (int)(huge * zero), (unsigned)(int)-1.5);
	puts("done");
	return 0;
}
