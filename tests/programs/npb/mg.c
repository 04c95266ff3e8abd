/*
 * NPB MG, "multigrid": V-cycles for the Poisson equation on a periodic cube (RNR-94-007, section 2.2.2). Usage: mg
 * [S|W|A]
 */
#include <stddef.h>

#include "npb.h"

#define CYCLES 4
#define SPIKES 10
#define MAX_LEVELS 10

static const struct {
  int levels; /* the finest grid has 2^levels points in each direction */
  double norm;
} classes[] = {{5, 0.5307707005734e-04}, {7, 0.6467329375339e-05}, {8, 0.2433365309069e-05}};

/* n^3 points and a ghost layer around them: (n + 2)^3 doubles. */
struct grid {
  int n;
  double *at;
};

static inline size_t point(const struct grid *g, int z, int y, int x) {
  size_t width = (size_t)g->n + 2;
  return ((size_t)z * width + (size_t)y) * width + (size_t)x;
}

static NOINLINE struct grid make_grid(int n) {
  size_t width = (size_t)n + 2;
  struct grid grid = {n, calloc(width * width * width, sizeof(double))};
  CHECK(grid.at != NULL);
  return grid;
}

static NOINLINE void clear(struct grid *g) {
  size_t width = (size_t)g->n + 2;
  memset(g->at, 0, width * width * width * sizeof *g->at);
}

/*
 * Copies the opposite faces into the ghost layers, one direction after the other so that edges and corners come
 * right.
 */
static NOINLINE void wrap(struct grid *g) {
  int n = g->n;
  for (int z = 1; z <= n; z++)
    for (int y = 1; y <= n; y++) {
      g->at[point(g, z, y, 0)] = g->at[point(g, z, y, n)];
      g->at[point(g, z, y, n + 1)] = g->at[point(g, z, y, 1)];
    }
  for (int z = 1; z <= n; z++)
    for (int x = 0; x <= n + 1; x++) {
      g->at[point(g, z, 0, x)] = g->at[point(g, z, n, x)];
      g->at[point(g, z, n + 1, x)] = g->at[point(g, z, 1, x)];
    }
  for (int y = 0; y <= n + 1; y++)
    for (int x = 0; x <= n + 1; x++) {
      g->at[point(g, 0, y, x)] = g->at[point(g, n, y, x)];
      g->at[point(g, n + 1, y, x)] = g->at[point(g, 1, y, x)];
    }
}

/* The sums over the 6 nearest, 12 next and 8 corner neighbours of a point. */
struct neighbours {
  double faces, edges, corners;
};

static inline struct neighbours neighbours(const struct grid *g, int z, int y, int x) {
  const double *c = g->at + point(g, z, y, x);
  ptrdiff_t dy = g->n + 2, dz = dy * dy;
  return (struct neighbours){
      .faces = c[-1] + c[1] + c[-dy] + c[dy] + c[-dz] + c[dz],
      .edges = c[-dy - 1] + c[-dy + 1] + c[dy - 1] + c[dy + 1] + c[-dz - 1] + c[-dz + 1] + c[dz - 1] + c[dz + 1] +
               c[-dz - dy] + c[-dz + dy] + c[dz - dy] + c[dz + dy],
      .corners = c[-dz - dy - 1] + c[-dz - dy + 1] + c[-dz + dy - 1] + c[-dz + dy + 1] + c[dz - dy - 1] +
                 c[dz - dy + 1] + c[dz + dy - 1] + c[dz + dy + 1],
  };
}

/* r = v - A u. r may be v: each point of v is read before it is written. */
static NOINLINE void residual(const struct grid *u, const struct grid *v, struct grid *r) {
  for (int z = 1; z <= u->n; z++)
    for (int y = 1; y <= u->n; y++)
      for (int x = 1; x <= u->n; x++) {
        struct neighbours near = neighbours(u, z, y, x);
        size_t i = point(u, z, y, x);
        r->at[i] = v->at[i] + 8.0 / 3.0 * u->at[i] - 1.0 / 6.0 * near.edges - 1.0 / 12.0 * near.corners;
      }
  wrap(r);
}

/* u += S r, the smoother of classes S, W and A. */
static NOINLINE void smooth(const struct grid *r, struct grid *u) {
  for (int z = 1; z <= u->n; z++)
    for (int y = 1; y <= u->n; y++)
      for (int x = 1; x <= u->n; x++) {
        struct neighbours near = neighbours(r, z, y, x);
        size_t i = point(u, z, y, x);
        u->at[i] += -3.0 / 8.0 * r->at[i] + 1.0 / 32.0 * near.faces - 1.0 / 64.0 * near.edges;
      }
  wrap(u);
}

/* Projects to the coarser grid, whose point j lies at point 2 j of the finer one. */
static NOINLINE void project(const struct grid *fine, struct grid *coarse) {
  for (int z = 1; z <= coarse->n; z++)
    for (int y = 1; y <= coarse->n; y++)
      for (int x = 1; x <= coarse->n; x++) {
        struct neighbours near = neighbours(fine, 2 * z, 2 * y, 2 * x);
        coarse->at[point(coarse, z, y, x)] = 0.5 * fine->at[point(fine, 2 * z, 2 * y, 2 * x)] + 0.25 * near.faces +
                                             0.125 * near.edges + 0.0625 * near.corners;
      }
  wrap(coarse);
}

/* The mean of the coarse points around a fine point: 1, 2, 4 or 8 of them. */
static inline double interpolated(const struct grid *coarse, int z, int y, int x) {
  int count = 0;
  double sum = 0.0;
  for (int cz = z / 2; cz <= (z + 1) / 2; cz++)
    for (int cy = y / 2; cy <= (y + 1) / 2; cy++)
      for (int cx = x / 2; cx <= (x + 1) / 2; cx++, count++)
        sum += coarse->at[point(coarse, cz, cy, cx)];
  return sum / (double)count;
}

/* Adds the trilinear interpolation of the coarse grid. */
static NOINLINE void interpolate(const struct grid *coarse, struct grid *fine) {
  for (int z = 1; z <= fine->n; z++)
    for (int y = 1; y <= fine->n; y++)
      for (int x = 1; x <= fine->n; x++)
        fine->at[point(fine, z, y, x)] += interpolated(coarse, z, y, x);
  wrap(fine);
}

static NOINLINE double norm(const struct grid *g) {
  double sum = 0.0;
  for (int z = 1; z <= g->n; z++)
    for (int y = 1; y <= g->n; y++)
      for (int x = 1; x <= g->n; x++)
        sum += g->at[point(g, z, y, x)] * g->at[point(g, z, y, x)];
  return sqrt(sum / ((double)g->n * g->n * g->n));
}

/* One V-cycle below `level`: solves A u = r there. The recursion puts a frame for each level on the stack. */
static NOINLINE void descend(struct grid *u, struct grid *r, int level) {
  clear(&u[level]);
  if (level > 1) {
    project(&r[level], &r[level - 1]);
    descend(u, r, level - 1);
    interpolate(&u[level - 1], &u[level]);
    residual(&u[level], &r[level], &r[level]);
  }
  smooth(&r[level], &u[level]);
}

static NOINLINE void cycle(struct grid *u, const struct grid *v, struct grid *r, int top) {
  project(&r[top], &r[top - 1]);
  descend(u, r, top - 1);
  interpolate(&u[top - 1], &u[top]);
  residual(&u[top], v, &r[top]);
  smooth(&r[top], &u[top]);
  residual(&u[top], v, &r[top]);
}

/* Keeps the SPIKES greatest of sign * value, greatest first. */
static NOINLINE void keep_greatest(double *best, size_t *where, double value, size_t i) {
  if (value <= best[SPIKES - 1])
    return;
  int at = SPIKES - 1;
  for (; at > 0 && best[at - 1] < value; at--) {
    best[at] = best[at - 1];
    where[at] = where[at - 1];
  }
  best[at] = value;
  where[at] = i;
}

/* The right-hand side: +1 at the ten greatest and -1 at the ten least of n^3 random numbers, 0 elsewhere. */
static NOINLINE void make_spikes(struct grid *v) {
  double seed = NPB_SEED, high[SPIKES] = {0}, low[SPIKES];
  size_t high_at[SPIKES], low_at[SPIKES];
  for (int i = 0; i < SPIKES; i++)
    low[i] = -1.0;
  for (int z = 1; z <= v->n; z++)
    for (int y = 1; y <= v->n; y++)
      for (int x = 1; x <= v->n; x++) {
        double value = randlc(&seed, NPB_MULTIPLIER);
        keep_greatest(high, high_at, value, point(v, z, y, x));
        keep_greatest(low, low_at, -value, point(v, z, y, x));
      }
  for (int i = 0; i < SPIKES; i++) {
    v->at[high_at[i]] = 1.0;
    v->at[low_at[i]] = -1.0;
  }
  wrap(v);
}

int main(int argc, char **argv) {
  int class_index = npb_class(argc, argv), top = classes[class_index].levels;
  struct grid u[MAX_LEVELS], r[MAX_LEVELS], v = make_grid(1 << top);
  for (int level = 1; level <= top; level++) {
    u[level] = make_grid(1 << level);
    r[level] = make_grid(1 << level);
  }
  make_spikes(&v);
  residual(&u[top], &v, &r[top]);
  printf("  start   %.13e\n", norm(&r[top]));
  for (int i = 0; i < CYCLES; i++) {
    cycle(u, &v, r, top);
    printf("  cycle %d %.13e\n", i + 1, norm(&r[top]));
    fflush(stdout);
  }
  bool good = npb_close("norm", norm(&r[top]), classes[class_index].norm, 1e-8);
  for (int level = 1; level <= top; level++) {
    free(u[level].at);
    free(r[level].at);
  }
  free(v.at);
  return npb_verdict("MG", class_index, good);
}
