/*
 * A long numerical program in three parts that take turns: planets, a linear system solved by LU decomposition, and
 * heat in a plate. Prints a line for each step. Usage: mixed [steps]
 */
#include <math.h>

#include "program.h"

#define BODIES 24
#define ORDER 48
#define PLATE 96

struct body {
  double position[3], velocity[3], mass;
};

static double random_double(uint64_t *state) { return (double)(next_random(state) >> 11) * 0x1p-53; }

static NOINLINE void make_bodies(struct body *bodies, uint64_t *random) {
  for (int i = 0; i < BODIES; i++) {
    bodies[i].mass = 0.5 + random_double(random);
    for (int k = 0; k < 3; k++) {
      bodies[i].position[k] = 20.0 * random_double(random) - 10.0;
      bodies[i].velocity[k] = random_double(random) - 0.5;
    }
  }
}

/* Softened gravity between two bodies over a time dt; returns the distance for the energy. */
static NOINLINE double attract(struct body *a, struct body *b, double dt) {
  double d[3], square = 0.01;
  for (int k = 0; k < 3; k++) {
    d[k] = b->position[k] - a->position[k];
    square += d[k] * d[k];
  }
  double distance = sqrt(square), pull = dt / (square * distance);
  for (int k = 0; k < 3; k++) {
    a->velocity[k] += d[k] * b->mass * pull;
    b->velocity[k] -= d[k] * a->mass * pull;
  }
  return distance;
}

static NOINLINE double move_bodies(struct body *bodies, double dt) {
  double energy = 0.0;
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++)
      energy -= bodies[i].mass * bodies[j].mass / attract(&bodies[i], &bodies[j], dt);
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) {
      bodies[i].position[k] += dt * bodies[i].velocity[k];
      energy += 0.5 * bodies[i].mass * bodies[i].velocity[k] * bodies[i].velocity[k];
    }
  return energy;
}

/* Decomposes in place with row exchanges; `rows` says which row of the original went where. */
static NOINLINE void decompose(double a[ORDER][ORDER], int rows[ORDER]) {
  for (int k = 0; k < ORDER; k++) {
    int pivot = k;
    for (int i = k + 1; i < ORDER; i++)
      if (fabs(a[i][k]) > fabs(a[pivot][k]))
        pivot = i;
    rows[k] = pivot;
    for (int j = 0; j < ORDER; j++) {
      double swapped = a[k][j];
      a[k][j] = a[pivot][j];
      a[pivot][j] = swapped;
    }
    for (int i = k + 1; i < ORDER; i++) {
      double factor = a[i][k] /= a[k][k];
      for (int j = k + 1; j < ORDER; j++)
        a[i][j] -= factor * a[k][j];
    }
  }
}

static NOINLINE void substitute(double a[ORDER][ORDER], const int rows[ORDER], double x[ORDER]) {
  for (int i = 0; i < ORDER; i++) {
    double swapped = x[rows[i]];
    x[rows[i]] = x[i];
    x[i] = swapped;
  }
  for (int i = 1; i < ORDER; i++)
    for (int j = 0; j < i; j++)
      x[i] -= a[i][j] * x[j];
  for (int i = ORDER - 1; i >= 0; i--) {
    for (int j = i + 1; j < ORDER; j++)
      x[i] -= a[i][j] * x[j];
    x[i] /= a[i][i];
  }
}

/* Solves a random system whose solution is known; returns the largest error. Matrices and vectors lie on the stack. */
static NOINLINE double solve_system(uint64_t *random) {
  double a[ORDER][ORDER], x[ORDER] = {0}, error = 0.0;
  int rows[ORDER];
  for (int i = 0; i < ORDER; i++)
    for (int j = 0; j < ORDER; j++) {
      a[i][j] = random_double(random) + (i == j ? 4.0 : 0.0);
      x[i] += a[i][j] * (double)(j + 1);
    }
  decompose(a, rows);
  substitute(a, rows, x);
  for (int i = 0; i < ORDER; i++)
    error = fmax(error, fabs(x[i] - (double)(i + 1)));
  CHECK(error < 1e-8);
  return error;
}

static double plate[2][PLATE][PLATE];

/* One step of heat conduction; the left edge is hot. */
static NOINLINE double conduct(double from[PLATE][PLATE], double to[PLATE][PLATE]) {
  double total = 0.0;
  for (int i = 0; i < PLATE; i++)
    from[i][0] = to[i][0] = 100.0;
  for (int i = 1; i < PLATE - 1; i++)
    for (int j = 1; j < PLATE - 1; j++) {
      to[i][j] =
          from[i][j] + 0.2 * (from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1] - 4.0 * from[i][j]);
      total += to[i][j];
    }
  return total;
}

static NOINLINE double heat(unsigned turns) {
  double total = 0.0;
  for (unsigned i = 0; i < turns; i++) {
    conduct(plate[0], plate[1]);
    total = conduct(plate[1], plate[0]);
  }
  return total;
}

int main(int argc, char **argv) {
  long steps = argument(argc, argv, 1, 300);
  uint64_t random = opaque(43), sum = 0;
  struct body bodies[BODIES];
  make_bodies(bodies, &random);
  for (long step = 0; step < steps; step++) {
    double energy = 0.0, error = 0.0;
    for (int i = 0; i < 500; i++)
      energy = move_bodies(bodies, 1e-4);
    for (int i = 0; i < 20; i++)
      error = fmax(error, solve_system(&random));
    double total = heat(100);
    sum = mix_double(mix_double(mix_double(sum, energy), error), total);
    printf("mixed: step %ld energy %.12f heat %.9f\n", step + 1, energy, total);
    fflush(stdout);
  }
  return finish("mixed", sum);
}
