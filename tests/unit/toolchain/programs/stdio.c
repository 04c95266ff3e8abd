// printf and scanf of every kind, and the start of a program: arguments, environment, auxiliary vector.
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <wchar.h>

struct point { double x; int y; };

static int sum(int n, ...)
{
	va_list list, copy;
	int total = 0;
	va_start(list, n);
	va_copy(copy, list);
	for (int i = 0; i < n; i++) total += va_arg(list, int);
	for (int i = 0; i < n; i++) total += 100 * va_arg(copy, int);
	va_end(list);
	va_end(copy);
	return total;
}

static double by_value(int n, ...)
{
	va_list list;
	va_start(list, n);
	struct point p = va_arg(list, struct point);
	long double l = va_arg(list, long double);
	__int128 wide = va_arg(list, __int128);
	va_end(list);
	return p.x + p.y + (double)l + (double)wide;
}

int main(int argc, char **argv)
{
	char text[64];
	int i;
	double d;
	printf("%d %5d|%-5d|%05d %+d %x %#o %u %ld %lld %zu %jd %hhd\n", 1, 2, 3, 4, 5, 255, 8, 6u, 7l, 8ll, (size_t)9, (intmax_t)10, 300);
	printf("%f %.3e %g %a %10.2f|%-10.1f|%Lf %s %.3s %c %p %%\n", 1.5, 12345.678, 0.0001, 3.0, 2.25, 9.75, 1.25L, "text", "abcdef", 'z', (void *)0x1234);
	printf("%ls %lc %*d %-*d|\n", L"wide", L'w', 6, 42, 6, 43);
	printf("%d %g\n", sum(5, 1, 2, 3, 4, 5), by_value(1, (struct point){1.5, 2}, 0.25L, (__int128)1 << 70));
	printf("%d %s\n", sscanf("17 3.5 word", "%d %lf %63s", &i, &d, text), text);
	printf("%d %g %g\n", i, d, strtod("0x1.8p3", 0));
	snprintf(text, sizeof text, "%.40f", 0.1);
	puts(text);
	printf("%s\n", setlocale(LC_ALL, "C.UTF-8"));
	printf("argc %d, null %d, name %s\n", argc, argv[argc] == 0, strrchr(argv[0], '/') ? "path" : "bare");
	setenv("TRANSPROC_TEST", "value", 1);
	printf("%s, page %ld, hwcap %lu, vdso %lu\n", getenv("TRANSPROC_TEST"), sysconf(_SC_PAGESIZE), getauxval(AT_HWCAP), getauxval(AT_SYSINFO_EHDR));
	printf("sizes %zu %zu %zu %zu\n", sizeof(long double), sizeof(wchar_t), sizeof(va_list), sizeof(max_align_t));
	printf("signed char %d\n", (char)-1 < 0);
	puts("done");
	return 0;
}
