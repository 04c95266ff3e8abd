/*
 * NPB FT, "Fourier transform": a diffusion equation on a periodic box by three-dimensional FFT (RNR-94-007,
 * section 2.2.4). Usage: ft [S|W|A]
 */
#include "npb.h"

#define STEPS 6
#define ALPHA 1e-6
#define MAX_LENGTH 256

static const double pi = 3.141592653589793238;

struct complex {
  double re, im;
};

static const struct {
  int nx, ny, nz;
  struct complex sums[STEPS];
} classes[] = {
    {64, 64, 64,
     {{5.546087004964e+02, 4.845363331978e+02},
      {5.546385409189e+02, 4.865304269511e+02},
      {5.546148406171e+02, 4.883910722336e+02},
      {5.545423607415e+02, 4.901273169046e+02},
      {5.544255039624e+02, 4.917475857993e+02},
      {5.542683411902e+02, 4.932597244941e+02}}},
    {128, 128, 32,
     {{5.673612178944e+02, 5.293246849175e+02},
      {5.631436885271e+02, 5.282149986629e+02},
      {5.594024089970e+02, 5.270996558037e+02},
      {5.560698047020e+02, 5.260027904925e+02},
      {5.530898991250e+02, 5.249400845633e+02},
      {5.504159734538e+02, 5.239212247086e+02}}},
    {256, 256, 128,
     {{5.046735008193e+02, 5.114047905510e+02},
      {5.059412319734e+02, 5.098809666433e+02},
      {5.069376896287e+02, 5.098144042213e+02},
      {5.077892868474e+02, 5.101336130759e+02},
      {5.085233095391e+02, 5.104914655194e+02},
      {5.091487099959e+02, 5.107917842803e+02}}},
};

/* nx * ny * nz points, x fastest. */
struct box {
  int nx, ny, nz;
  struct complex *at;
};

static struct complex add(struct complex a, struct complex b) { return (struct complex){a.re + b.re, a.im + b.im}; }
static struct complex sub(struct complex a, struct complex b) { return (struct complex){a.re - b.re, a.im - b.im}; }

static struct complex multiply(struct complex a, struct complex b) {
  return (struct complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static struct complex roots[MAX_LENGTH];

/* roots[k] = e^(2 pi i k / MAX_LENGTH). */
static NOINLINE void make_roots(void) {
  for (int k = 0; k < MAX_LENGTH; k++)
    roots[k] = (struct complex){cos(2.0 * pi * k / MAX_LENGTH), sin(2.0 * pi * k / MAX_LENGTH)};
}

/* out = transform of the n elements in[0], in[stride], …: halves by recursion, then joins them (decimation in time). */
static NOINLINE void transform(const struct complex *in, struct complex *out, int n, size_t stride, int sign) {
  if (n == 1) {
    out[0] = in[0];
    return;
  }
  int half = n / 2;
  transform(in, out, half, 2 * stride, sign);
  transform(in + stride, out + half, half, 2 * stride, sign);
  for (int k = 0; k < half; k++) {
    struct complex root = roots[k * (MAX_LENGTH / n)];
    root.im *= sign;
    struct complex odd = multiply(out[half + k], root), even = out[k];
    out[k] = add(even, odd);
    out[half + k] = sub(even, odd);
  }
}

static NOINLINE void transform_line(struct complex *line, int n, size_t stride, int sign) {
  struct complex out[MAX_LENGTH];
  transform(line, out, n, stride, sign);
  for (int i = 0; i < n; i++)
    line[(size_t)i * stride] = out[i];
}

static NOINLINE void transform_box(struct box *box, int sign) {
  size_t nx = (size_t)box->nx, ny = (size_t)box->ny, nz = (size_t)box->nz;
  for (size_t z = 0; z < nz; z++) {
    for (size_t y = 0; y < ny; y++)
      transform_line(box->at + (z * ny + y) * nx, box->nx, 1, sign);
    for (size_t x = 0; x < nx; x++)
      transform_line(box->at + z * ny * nx + x, box->ny, nx, sign);
  }
  for (size_t i = 0; i < ny * nx; i++)
    transform_line(box->at + i, box->nz, ny * nx, sign);
}

static NOINLINE void fill(struct box *box) {
  double seed = NPB_SEED;
  size_t count = (size_t)box->nx * (size_t)box->ny * (size_t)box->nz;
  for (size_t i = 0; i < count; i++) {
    box->at[i].re = randlc(&seed, NPB_MULTIPLIER);
    box->at[i].im = randlc(&seed, NPB_MULTIPLIER);
  }
}

/* The frequency of index i: 0, 1, …, n/2 - 1, -n/2, …, -1. */
static int frequency(int i, int n) { return i < n / 2 ? i : i - n; }

/* to = from advanced by one step of time; `to` gets the product, `from` keeps it for the next step. */
static NOINLINE void evolve(struct box *from, struct box *to) {
  size_t i = 0;
  for (int z = 0; z < from->nz; z++)
    for (int y = 0; y < from->ny; y++)
      for (int x = 0; x < from->nx; x++, i++) {
        int fx = frequency(x, from->nx), fy = frequency(y, from->ny), fz = frequency(z, from->nz);
        double factor = exp(-4.0 * ALPHA * pi * pi * (double)(fx * fx + fy * fy + fz * fz));
        from->at[i].re *= factor;
        from->at[i].im *= factor;
        to->at[i] = from->at[i];
      }
}

/* The sum over 1024 points, scaled for the inverse transform. */
static NOINLINE struct complex box_sum(const struct box *box) {
  struct complex sum = {0.0, 0.0};
  for (int j = 1; j <= 1024; j++) {
    size_t x = (size_t)(j % box->nx), y = (size_t)(3 * j % box->ny), z = (size_t)(5 * j % box->nz);
    sum = add(sum, box->at[(z * (size_t)box->ny + y) * (size_t)box->nx + x]);
  }
  double points = (double)box->nx * box->ny * box->nz;
  return (struct complex){sum.re / points, sum.im / points};
}

static struct box make_box(int class_index) {
  struct box box = {classes[class_index].nx, classes[class_index].ny, classes[class_index].nz, NULL};
  box.at = calloc((size_t)box.nx * (size_t)box.ny * (size_t)box.nz, sizeof *box.at);
  CHECK(box.at != NULL);
  return box;
}

int main(int argc, char **argv) {
  int class_index = npb_class(argc, argv);
  struct box spectrum = make_box(class_index), now = make_box(class_index);
  bool good = true;
  make_roots();
  fill(&spectrum);
  transform_box(&spectrum, 1);
  for (int step = 0; step < STEPS; step++) {
    evolve(&spectrum, &now);
    transform_box(&now, -1);
    struct complex sum = box_sum(&now);
    good &= npb_close("real", sum.re, classes[class_index].sums[step].re, 1e-12);
    good &= npb_close("imaginary", sum.im, classes[class_index].sums[step].im, 1e-12);
    fflush(stdout);
  }
  free(spectrum.at);
  free(now.at);
  return npb_verdict("FT", class_index, good);
}
