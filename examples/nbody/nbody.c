/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The planets of a little solar system under gravity. Prints a line for each step, with the total energy, which must
 * hardly change: a mistake in a single value would show.
 *
 * Usage: nbody [steps] [turns]      `turns` of the integrator make one step (default 100 steps of 500,000 turns)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BODIES 5
#define TURN 1e-4 /* of a year */

struct body {
  const char *name;
  double position[3]; /* astronomical units */
  double velocity[3]; /* astronomical units in a year */
  double mass;        /* of which the sun has 4 pi^2 */
};

static const double pi = 3.141592653589793;

/* Bodies on circular orbits of given radius and tilt; each speed follows from the sun's mass. */
static void make_system(struct body *bodies) {
  static const struct {
    const char *name;
    double radius, tilt, mass;
  } planets[BODIES - 1] = {
      {"Venus", 0.723, 0.059, 2.4e-6},
      {"Earth", 1.000, 0.000, 3.0e-6},
      {"Mars", 1.524, 0.032, 3.2e-7},
      {"Jupiter", 5.203, 0.023, 9.5e-4},
  };
  double sun = 4.0 * pi * pi;
  bodies[0] = (struct body){.name = "Sun", .mass = sun};
  for (int i = 1; i < BODIES; i++) {
    double radius = planets[i - 1].radius, speed = sqrt(sun / radius), tilt = planets[i - 1].tilt;
    bodies[i] = (struct body){
        .name = planets[i - 1].name,
        .position = {radius, 0.0, 0.0},
        .velocity = {0.0, speed * cos(tilt), speed * sin(tilt)},
        .mass = planets[i - 1].mass * sun,
    };
    for (int k = 0; k < 3; k++)
      bodies[0].velocity[k] -= bodies[i].velocity[k] * planets[i - 1].mass;
  }
}

static double distance(const struct body *a, const struct body *b) {
  double square = 0.0;
  for (int k = 0; k < 3; k++)
    square += (a->position[k] - b->position[k]) * (a->position[k] - b->position[k]);
  return sqrt(square);
}

static void attract(struct body *a, struct body *b) {
  double r = distance(a, b), pull = TURN / (r * r * r);
  for (int k = 0; k < 3; k++) {
    double d = b->position[k] - a->position[k];
    a->velocity[k] += d * b->mass * pull;
    b->velocity[k] -= d * a->mass * pull;
  }
}

/* One turn of the semi-implicit Euler method: it keeps the energy near its true value for ever. */
static void advance(struct body *bodies) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++)
      attract(&bodies[i], &bodies[j]);
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++)
      bodies[i].position[k] += TURN * bodies[i].velocity[k];
}

static double energy(const struct body *bodies) {
  double sum = 0.0;
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++)
      sum += 0.5 * bodies[i].mass * bodies[i].velocity[k] * bodies[i].velocity[k];
    for (int j = i + 1; j < BODIES; j++)
      sum -= bodies[i].mass * bodies[j].mass / distance(&bodies[i], &bodies[j]);
  }
  return sum;
}

static long number(int argc, char **argv, int index, long fallback) {
  char *end;
  long value = index < argc ? strtol(argv[index], &end, 10) : fallback;
  if (value <= 0 || (index < argc && *end != '\0')) {
    fprintf(stderr, "usage: %s [steps] [turns]\n", argv[0]);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  long steps = number(argc, argv, 1, 100), turns = number(argc, argv, 2, 500000);
  struct body bodies[BODIES];
  make_system(bodies);
  double start = energy(bodies);
  printf("energy at the start %.15f\n", start);
  for (long step = 1; step <= steps; step++) {
    for (long turn = 0; turn < turns; turn++)
      advance(bodies);
    double now = energy(bodies);
    printf("step %4ld  year %8.1f  %s at (%9.6f, %9.6f)  energy %.15f  drift %9.2e\n", step,
           (double)(step * turns) * TURN, bodies[2].name, bodies[2].position[0], bodies[2].position[1], now,
           (now - start) / start);
    fflush(stdout);
  }
  return 0;
}
