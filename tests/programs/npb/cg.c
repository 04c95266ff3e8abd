/*
 * NPB CG, "conjugate gradient": the smallest eigenvalue of a large sparse symmetric matrix by inverse power
 * iteration, each step a conjugate gradient solution (RNR-94-007, section 2.2.3). Usage: cg [S|W|A]
 */
#include "npb.h"

#define OUTER_STEPS 15
#define INNER_STEPS 25
#define RCOND 0.1
#define MAX_NONZERO 12

static const struct {
  int n, nonzero;
  double shift, zeta;
} classes[] = {
    {1400, 7, 10.0, 8.5971775078648},
    {7000, 8, 12.0, 10.362595087124},
    {14000, 11, 20.0, 17.130235054029},
};

/* Rows compressed: row i has the elements start[i] up to start[i + 1]. */
struct matrix {
  int n;
  int *start, *column;
  double *value;
};

/* A sparse vector of at most `nonzero` + 1 elements. */
struct sparse {
  int count;
  int index[MAX_NONZERO];
  double value[MAX_NONZERO];
};

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  CHECK(memory != NULL);
  return memory;
}

static NOINLINE bool contains(const struct sparse *vector, int index) {
  for (int i = 0; i < vector->count; i++)
    if (vector->index[i] == index)
      return true;
  return false;
}

/* A random sparse vector: value and place are drawn in turn; places out of range or taken are drawn again. */
static NOINLINE void random_vector(struct sparse *vector, int n, int nonzero, double *seed) {
  int range = 1;
  while (range < n)
    range *= 2;
  vector->count = 0;
  while (vector->count < nonzero) {
    double value = randlc(seed, NPB_MULTIPLIER);
    int index = (int)((double)range * randlc(seed, NPB_MULTIPLIER));
    if (index >= n || contains(vector, index))
      continue;
    vector->index[vector->count] = index;
    vector->value[vector->count++] = value;
  }
}

static NOINLINE void set_element(struct sparse *vector, int index, double value) {
  int i = 0;
  while (i < vector->count && vector->index[i] != index)
    i++;
  if (i == vector->count)
    vector->index[vector->count++] = index;
  vector->value[i] = value;
}

/* Adds to the element (row, column), whose row is kept sorted in the `used` first places of its part. */
static NOINLINE void add_element(struct matrix *a, int *used, int row, int column, double value) {
  int *columns = a->column + a->start[row];
  double *values = a->value + a->start[row];
  int at = used[row];
  for (; at > 0 && columns[at - 1] >= column; at--)
    if (columns[at - 1] == column) {
      values[at - 1] += value;
      return;
    }
  for (int i = used[row]++; i > at; i--) {
    columns[i] = columns[i - 1];
    values[i] = values[i - 1];
  }
  columns[at] = column;
  values[at] = value;
}

/* Closes the gaps left where several contributions fell on one element. */
static NOINLINE void compress(struct matrix *a, const int *used) {
  int to = 0;
  for (int row = 0; row < a->n; row++) {
    int from = a->start[row];
    a->start[row] = to;
    for (int i = 0; i < used[row]; i++, to++) {
      a->column[to] = a->column[from + i];
      a->value[to] = a->value[from + i];
    }
  }
  a->start[a->n] = to;
}

/* Room for each row: the sum of the sizes of the outer products that touch it. */
static NOINLINE void reserve(struct matrix *a, const struct sparse *vectors) {
  a->start = allocate((size_t)a->n + 1, sizeof *a->start);
  for (int i = 0; i < a->n; i++)
    for (int k = 0; k < vectors[i].count; k++)
      a->start[vectors[i].index[k] + 1] += vectors[i].count;
  for (int i = 0; i < a->n; i++)
    a->start[i + 1] += a->start[i];
  a->column = allocate((size_t)a->start[a->n], sizeof *a->column);
  a->value = allocate((size_t)a->start[a->n], sizeof *a->value);
}

/*
 * The weighted sum of outer products x x^T, with weights that fall geometrically from 1 to RCOND, plus (RCOND -
 * shift) I.
 */
static NOINLINE void make_matrix(struct matrix *a, int n, int nonzero, double shift) {
  double seed = NPB_SEED;
  randlc(&seed, NPB_MULTIPLIER); /* the reference draws one number before it begins */
  struct sparse *vectors = allocate((size_t)n, sizeof *vectors);
  for (int i = 0; i < n; i++) {
    random_vector(&vectors[i], n, nonzero, &seed);
    set_element(&vectors[i], i, 0.5);
  }
  a->n = n;
  reserve(a, vectors);
  int *used = allocate((size_t)n, sizeof *used);
  double weight = 1.0, ratio = pow(RCOND, 1.0 / (double)n);
  for (int i = 0; i < n; i++, weight *= ratio)
    for (int k = 0; k < vectors[i].count; k++)
      for (int j = 0; j < vectors[i].count; j++) {
        int row = vectors[i].index[k], column = vectors[i].index[j];
        double value = vectors[i].value[j] * (weight * vectors[i].value[k]);
        add_element(a, used, row, column, row == i && column == i ? value + RCOND - shift : value);
      }
  compress(a, used);
  free(used);
  free(vectors);
}

static NOINLINE void multiply(const struct matrix *a, const double *x, double *y) {
  for (int row = 0; row < a->n; row++) {
    double sum = 0.0;
    for (int i = a->start[row]; i < a->start[row + 1]; i++)
      sum += a->value[i] * x[a->column[i]];
    y[row] = sum;
  }
}

static NOINLINE double dot(const double *x, const double *y, int n) {
  double sum = 0.0;
  for (int i = 0; i < n; i++)
    sum += x[i] * y[i];
  return sum;
}

/* z = A^-1 x approximately, by INNER_STEPS steps; returns the norm of x - A z. Work: p, q, r of n elements each. */
static NOINLINE double solve(const struct matrix *a, const double *x, double *z, double *work) {
  int n = a->n;
  double *p = work, *q = work + n, *r = work + 2 * n;
  for (int i = 0; i < n; i++) {
    z[i] = q[i] = 0.0;
    r[i] = p[i] = x[i];
  }
  double rho = dot(r, r, n);
  for (int step = 0; step < INNER_STEPS; step++) {
    multiply(a, p, q);
    double alpha = rho / dot(p, q, n), previous = rho;
    for (int i = 0; i < n; i++) {
      z[i] += alpha * p[i];
      r[i] -= alpha * q[i];
    }
    rho = dot(r, r, n);
    for (int i = 0; i < n; i++)
      p[i] = r[i] + rho / previous * p[i];
  }
  multiply(a, z, r);
  double sum = 0.0;
  for (int i = 0; i < n; i++)
    sum += (x[i] - r[i]) * (x[i] - r[i]);
  return sqrt(sum);
}

int main(int argc, char **argv) {
  int class_index = npb_class(argc, argv), n = classes[class_index].n;
  struct matrix a;
  make_matrix(&a, n, classes[class_index].nonzero, classes[class_index].shift);
  printf("  n %d, %d elements\n", n, a.start[n]);
  double *x = allocate((size_t)n, sizeof *x), *z = allocate((size_t)n, sizeof *z);
  double *work = allocate(3 * (size_t)n, sizeof *work), zeta = 0.0;
  for (int i = 0; i < n; i++)
    x[i] = 1.0;
  for (int step = 0; step < OUTER_STEPS; step++) {
    double residual = solve(&a, x, z, work);
    zeta = classes[class_index].shift + 1.0 / dot(x, z, n);
    double norm = 1.0 / sqrt(dot(z, z, n));
    for (int i = 0; i < n; i++)
      x[i] = norm * z[i];
    printf("  step %2d residual %.14e zeta %.13f\n", step + 1, residual, zeta);
    fflush(stdout);
  }
  bool good = npb_close("zeta", zeta, classes[class_index].zeta, 1e-10);
  free(work);
  free(z);
  free(x);
  free(a.value);
  free(a.column);
  free(a.start);
  return npb_verdict("CG", class_index, good);
}
