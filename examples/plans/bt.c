/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Block tridiagonal systems, in the way of the NAS Parallel Benchmark BT, written anew and much smaller: five coupled quantities
 * diffuse and react on a cube. Each step computes a right side, solves lines of 5×5 blocks along x, y and z, and adds the change.
 * Prints the norms of the change now and then, and a checksum of every bit at the end: a migration that lost one would show.
 *
 * Usage: bt [points] [steps]      points on each edge of the cube (default 12), steps (default 60)
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { Q = 5, LONGEST = 64 };
#define STEP 0.01 /* of time */
#define STOP __attribute__((noinline)) /* a function where plans stop it has to be one */

typedef double vector[Q];
typedef double matrix[Q][Q];

static int points, steps;
static vector *now, *change;

static long at(int x, int y, int z)
{
	return ((long)z * points + y) * points + x;
}

/* How the quantities diffuse into each other: symmetric, and dominated by its diagonal. */
static double coupling(int i, int j)
{
	return i == j ? 1.0 + 0.1 * i : 0.05 / (1 + abs(i - j));
}

static void initialize(void)
{
	for (int z = 0; z < points; z++)
		for (int y = 0; y < points; y++)
			for (int x = 0; x < points; x++)
				for (int q = 0; q < Q; q++)
					now[at(x, y, z)][q] = 1.0 + 0.5 * sin(0.3 * (q + 1) * x) * cos(0.2 * y + 0.1 * q * z);
}

/* The right side: diffusion between neighbours, and a reaction that couples what is at one point. */
STOP static void compute_rhs(void)
{
	const long strides[] = { 1, points, (long)points * points };
	memset(change, 0, (size_t)points * points * points * sizeof *change);
	for (int z = 1; z < points - 1; z++)
		for (int y = 1; y < points - 1; y++)
			for (int x = 1; x < points - 1; x++) {
				long here = at(x, y, z);
				for (int i = 0; i < Q; i++) {
					double sum = now[here][i] * (1.0 - now[here][(i + 1) % Q]);
					for (int axis = 0; axis < 3; axis++)
						for (int j = 0; j < Q; j++)
							sum += coupling(i, j) * (now[here - strides[axis]][j] - 2 * now[here][j] +
										 now[here + strides[axis]][j]);
					change[here][i] = STEP * sum;
				}
			}
}

/* Gauss-Jordan: `block` becomes the identity, `next` and `right` are multiplied by its inverse. */
static void invert(matrix block, matrix next, vector right)
{
	for (int p = 0; p < Q; p++) {
		double pivot = 1.0 / block[p][p];
		for (int j = 0; j < Q; j++) {
			block[p][j] *= pivot;
			next[p][j] *= pivot;
		}
		right[p] *= pivot;
		for (int i = 0; i < Q; i++) {
			double factor = block[i][p];
			if (i == p)
				continue;
			for (int j = 0; j < Q; j++) {
				block[i][j] -= factor * block[p][j];
				next[i][j] -= factor * next[p][j];
			}
			right[i] -= factor * right[p];
		}
	}
}

/* One line of blocks: eliminated forwards, solved backwards (the algorithm of Thomas, with blocks for numbers). */
static void solve_line(long first, long stride)
{
	static matrix block[LONGEST], next[LONGEST];
	for (int n = 1; n < points - 1; n++) {
		long here = first + n * stride;
		for (int i = 0; i < Q; i++)
			for (int j = 0; j < Q; j++) {
				next[n][i][j] = -STEP * coupling(i, j);
				block[n][i][j] = (i == j) + 2 * STEP * coupling(i, j) +
						 (j == (i + 1) % Q ? STEP * now[here][i] / 3 : 0.0);
			}
		for (int i = 0; n > 1 && i < Q; i++) /* the block before it is the identity by now */
			for (int k = 0; k < Q; k++) {
				double factor = -STEP * coupling(i, k);
				for (int j = 0; j < Q; j++)
					block[n][i][j] -= factor * next[n - 1][k][j];
				change[here][i] -= factor * change[here - stride][k];
			}
		invert(block[n], next[n], change[here]);
	}
	for (int n = points - 3; n > 0; n--)
		for (int i = 0; i < Q; i++)
			for (int j = 0; j < Q; j++)
				change[first + n * stride][i] -= next[n][i][j] * change[first + (n + 1) * stride][j];
}

/* All lines along each axis in turn. */
STOP static void adi(void)
{
	compute_rhs();
	for (int a = 1; a < points - 1; a++)
		for (int b = 1; b < points - 1; b++)
			solve_line(at(0, a, b), 1);
	for (int a = 1; a < points - 1; a++)
		for (int b = 1; b < points - 1; b++)
			solve_line(at(a, 0, b), points);
	for (int a = 1; a < points - 1; a++)
		for (int b = 1; b < points - 1; b++)
			solve_line(at(a, b, 0), (long)points * points);
}

STOP static void add(void)
{
	for (long i = 0; i < (long)points * points * points; i++)
		for (int q = 0; q < Q; q++)
			now[i][q] += change[i][q];
}

STOP static void print_norms(int step)
{
	printf("step %3d ", step);
	for (int q = 0; q < Q; q++) {
		double sum = 0.0;
		for (long i = 0; i < (long)points * points * points; i++)
			sum += change[i][q] * change[i][q];
		printf(" %.15e", sqrt(sum / ((double)points * points * points)));
	}
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	points = argc > 1 ? atoi(argv[1]) : 12;
	steps = argc > 2 ? atoi(argv[2]) : 60;
	if (points < 4 || points > LONGEST || steps < 1) {
		fprintf(stderr, "usage: bt [4 to %d points] [steps]\n", LONGEST);
		return 2;
	}
	size_t count = (size_t)points * points * points;
	now = calloc(count, sizeof *now);
	change = calloc(count, sizeof *change);
	if (!now || !change)
		return 1;
	initialize();
	for (int step = 1; step <= steps; step++) {
		adi();
		add();
		if (step == 1 || step % 20 == 0)
			print_norms(step);
	}
	uint64_t sum = 0;
	for (size_t i = 0; i < count * Q; i++) {
		uint64_t bits;
		memcpy(&bits, (double *)now + i, sizeof bits);
		sum = sum * 31 + bits;
	}
	printf("checksum %016llx\n", (unsigned long long)sum);
	free(now);
	free(change);
}
