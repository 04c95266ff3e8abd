/*
 * NPB IS, "integer sort": ranks small integers by counting, ten times, each time with two keys changed
 * (RNR-94-007, section 2.2.5). Usage: is [S|W|A]
 */
#include "npb.h"

#define ITERATIONS 10
#define PROBES 5

static const struct {
  int keys_log, max_key_log;
  int low_probes;   /* the first probes: their rank grows with the iteration, the others' shrinks */
  int grow, shrink; /* what the specification adds to the number of the iteration, for either kind */
  int index[PROBES], rank[PROBES];
} classes[] = {
    {16, 11, 3, 0, 0, {48427, 17148, 23627, 62548, 4431}, {0, 18, 346, 64917, 65463}},
    {20, 16, 2, -2, 0, {357773, 934767, 875723, 898999, 404505}, {1249, 11698, 1039987, 1043896, 1048018}},
    {23, 19, 3, -1, -1, {2112377, 662041, 5336171, 3642833, 4250760}, {104, 17523, 123928, 8288932, 8388264}},
};

struct sort {
  int class_index;
  long keys, max_key;
  int *key;   /* the keys, in their given order */
  int *below; /* below[k]: how many keys are less than or equal to k */
};

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  CHECK(memory != NULL);
  return memory;
}

/* Keys nearly of a Gaussian distribution: each from the mean of four random numbers. */
static NOINLINE void create_keys(struct sort *sort) {
  double seed = NPB_SEED;
  double quarter = (double)(sort->max_key / 4);
  for (long i = 0; i < sort->keys; i++) {
    double sum = randlc(&seed, NPB_MULTIPLIER);
    for (int j = 0; j < 3; j++)
      sum += randlc(&seed, NPB_MULTIPLIER);
    sort->key[i] = (int)(quarter * sum);
  }
}

static NOINLINE void count_keys(struct sort *sort) {
  memset(sort->below, 0, (size_t)sort->max_key * sizeof *sort->below);
  for (long i = 0; i < sort->keys; i++)
    sort->below[sort->key[i]]++;
  for (long k = 1; k < sort->max_key; k++)
    sort->below[k] += sort->below[k - 1];
}

/* How many of the probes have the rank that the specification gives for this iteration. */
static NOINLINE int check_probes(const struct sort *sort, int iteration, const int *probe) {
  int good = 0;
  for (int i = 0; i < PROBES; i++) {
    int key = probe[i];
    if (key <= 0 || key >= sort->keys)
      continue;
    int rank = classes[sort->class_index].rank[i];
    if (i < classes[sort->class_index].low_probes)
      rank += iteration + classes[sort->class_index].grow;
    else
      rank -= iteration + classes[sort->class_index].shrink;
    good += sort->below[key - 1] == rank;
  }
  return good;
}

static NOINLINE int rank_keys(struct sort *sort, int iteration) {
  int probe[PROBES];
  sort->key[iteration] = iteration;
  sort->key[iteration + ITERATIONS] = (int)sort->max_key - iteration;
  for (int i = 0; i < PROBES; i++)
    probe[i] = sort->key[classes[sort->class_index].index[i]];
  count_keys(sort);
  return check_probes(sort, iteration, probe);
}

/* Puts every key at its rank and looks at the neighbours. */
static NOINLINE bool is_sorted(struct sort *sort) {
  int *sorted = allocate((size_t)sort->keys, sizeof *sorted);
  bool good = true;
  for (long i = 0; i < sort->keys; i++)
    sorted[--sort->below[sort->key[i]]] = sort->key[i];
  for (long i = 1; i < sort->keys; i++)
    good &= sorted[i - 1] <= sorted[i];
  free(sorted);
  return good;
}

int main(int argc, char **argv) {
  int class_index = npb_class(argc, argv);
  struct sort sort = {
      .class_index = class_index,
      .keys = 1L << classes[class_index].keys_log,
      .max_key = 1L << classes[class_index].max_key_log,
  };
  sort.key = allocate((size_t)sort.keys, sizeof *sort.key);
  sort.below = allocate((size_t)sort.max_key, sizeof *sort.below);
  create_keys(&sort);
  int good = 0;
  for (int i = 1; i <= ITERATIONS; i++) {
    good += rank_keys(&sort, i);
    progress("is", i - 1, ITERATIONS, mix_bytes(0, sort.below, 4096));
  }
  printf("  %d of %d ranks\n", good, ITERATIONS * PROBES);
  bool sorted = is_sorted(&sort);
  printf("  %s\n", sorted ? "sorted" : "not sorted");
  free(sort.key);
  free(sort.below);
  return npb_verdict("IS", class_index, good == ITERATIONS * PROBES && sorted);
}
