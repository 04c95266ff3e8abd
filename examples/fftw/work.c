/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Work for FFTW: usage: work ROUNDS. Transforms of several sizes and kinds, planned by measuring or by estimates, in four threads: each is
   compared with its definition or with its way back, and those of estimated plans, which are the same in every run, are printed. */
#include <fftw3.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 1;

static double number(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (double)(state >> 11) / (1ll << 52) - 1;
}

/* FNV-1a */
static uint64_t digest(const void *data, size_t size)
{
	uint64_t sum = 14695981039346656037u;
	for (size_t i = 0; i < size; i++) sum = (sum ^ ((const unsigned char *)data)[i]) * 1099511628211u;
	return sum;
}

static void expect(const char *what, int n, double error)
{
	if (!(error < 1e-10)) {
		printf("%s of %d: error %g\n", what, n, error);
		exit(1);
	}
}

static void complex_transform(int n, unsigned how)
{
	fftw_complex *in = fftw_alloc_complex(n), *out = fftw_alloc_complex(n), *back = fftw_alloc_complex(n);
	fftw_plan forth = fftw_plan_dft_1d(n, in, out, FFTW_FORWARD, how);
	fftw_plan inverse = fftw_plan_dft_1d(n, out, back, FFTW_BACKWARD, how | FFTW_PRESERVE_INPUT);
	double worst = 0, re = 0, im = 0;
	int k = n / 3;
	for (int i = 0; i < n; i++) in[i][0] = number(), in[i][1] = number();
	fftw_execute(forth);
	for (int i = 0; i < n; i++) {
		double a = -2 * acos(-1) * ((int64_t)i * k % n) / n;
		re += in[i][0] * cos(a) - in[i][1] * sin(a);
		im += in[i][0] * sin(a) + in[i][1] * cos(a);
	}
	expect("a frequency", n, hypot(re - out[k][0], im - out[k][1]) / n);
	fftw_execute(inverse);
	for (int i = 0; i < n; i++) worst = fmax(worst, hypot(back[i][0] / n - in[i][0], back[i][1] / n - in[i][1]));
	expect("complex", n, worst);
	if (how == FFTW_ESTIMATE) printf("complex %d: %016llx\n", n, (unsigned long long)digest(out, n * sizeof *out));
	fftw_destroy_plan(forth), fftw_destroy_plan(inverse);
	fftw_free(in), fftw_free(out), fftw_free(back);
}

static void real_transform(int n, int m, unsigned how)
{
	size_t size = (size_t)n * m;
	double *in = fftw_alloc_real(size), *back = fftw_alloc_real(size), worst = 0;
	fftw_complex *out = fftw_alloc_complex((size_t)n * (m / 2 + 1));
	fftw_plan forth = fftw_plan_dft_r2c_2d(n, m, in, out, how), inverse = fftw_plan_dft_c2r_2d(n, m, out, back, how);
	for (size_t i = 0; i < size; i++) in[i] = number();
	fftw_execute(forth);
	if (how == FFTW_ESTIMATE) printf("real %dx%d: %016llx\n", n, m, (unsigned long long)digest(out, n * (m / 2 + 1) * sizeof *out));
	fftw_execute(inverse);
	for (size_t i = 0; i < size; i++) worst = fmax(worst, fabs(back[i] / (double)size - in[i]));
	expect("real", n * m, worst);
	fftw_destroy_plan(forth), fftw_destroy_plan(inverse);
	fftw_free(in), fftw_free(out), fftw_free(back);
}

static void cosine_transform(int n, unsigned how)
{
	double *data = fftw_alloc_real(n), *copy = malloc(n * sizeof *copy), worst = 0;
	fftw_plan forth = fftw_plan_r2r_1d(n, data, data, FFTW_REDFT10, how), inverse = fftw_plan_r2r_1d(n, data, data, FFTW_REDFT01, how);
	for (int i = 0; i < n; i++) copy[i] = data[i] = number();
	fftw_execute(forth);
	if (how == FFTW_ESTIMATE) printf("cosine %d: %016llx\n", n, (unsigned long long)digest(data, n * sizeof *data));
	fftw_execute(inverse);
	for (int i = 0; i < n; i++) worst = fmax(worst, fabs(data[i] / (2.0 * n) - copy[i]));
	expect("cosine", n, worst);
	fftw_destroy_plan(forth), fftw_destroy_plan(inverse);
	fftw_free(data), free(copy);
}

int main(int argc, char **argv)
{
	static const int sizes[] = { 1024, 360, 1009, 4096, 2310, 97 };
	int rounds = argc > 1 ? atoi(argv[1]) : 10;
	if (!fftw_init_threads()) return 2;
	fftw_set_timelimit(0.2); /* seconds for a plan; its clock is slow, so it would measure for minutes */
	for (int round = 0; round < rounds; round++) {
		int n = sizes[round % 6];
		fftw_plan_with_nthreads(round % 2 ? 4 : 1);
		complex_transform(n, FFTW_ESTIMATE);
		real_transform(n / 32 + 3, 60, FFTW_ESTIMATE);
		cosine_transform(n, FFTW_ESTIMATE);
		complex_transform(n, FFTW_MEASURE);
		real_transform(32, n / 40 + 4, FFTW_MEASURE);
	}
	puts("end");
	return 0;
}
