/*
 * Recursion: deep, doubly recursive, mutual, over trees and with backtracking. Each kind keeps values of its caller's
 * frames live across the calls and uses them on the way back. Usage: recursion [rounds]
 */
#include "program.h"

static NOINLINE uint64_t ackermann(uint64_t m, uint64_t n) {
  if (m == 0)
    return n + 1;
  if (n == 0)
    return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

static NOINLINE uint64_t fibonacci(unsigned n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

/* A chain of frames as long as `depth`; each adds to the sum on the way down and on the way up. */
static NOINLINE uint64_t descend(unsigned depth, uint64_t sum, double weight) {
  if (depth == 0)
    return mix_double(sum, weight);
  uint64_t before = mix(sum, depth);
  double heavier = weight * 1.0009765625 + 1.0;
  uint64_t below = descend(depth - 1, before, heavier);
  return mix_double(mix(below, before), heavier - weight);
}

static NOINLINE uint64_t odd(unsigned n, uint64_t sum);

static NOINLINE uint64_t even(unsigned n, uint64_t sum) {
  if (n == 0)
    return sum;
  return mix(odd(n - 1, mix(sum, 2 * n)), n);
}

static NOINLINE uint64_t odd(unsigned n, uint64_t sum) {
  if (n == 0)
    return ~sum;
  uint32_t kept = (uint32_t)sum;
  return mix(even(n - 1, mix(sum, 3 * n)), kept);
}

struct node {
  struct node *left, *right;
  uint32_t key, size;
};

/* Inserts by recursion that returns the changed subtree. */
static NOINLINE struct node *insert(struct node *tree, uint32_t key) {
  if (tree == NULL) {
    tree = calloc(1, sizeof *tree);
    CHECK(tree != NULL);
    tree->key = key;
  } else if (key < tree->key) {
    tree->left = insert(tree->left, key);
  } else if (key > tree->key) {
    tree->right = insert(tree->right, key);
  }
  tree->size = 1 + (tree->left ? tree->left->size : 0) + (tree->right ? tree->right->size : 0);
  return tree;
}

static NOINLINE unsigned height(const struct node *tree) {
  if (tree == NULL)
    return 0;
  unsigned left = height(tree->left), right = height(tree->right);
  return 1 + (left > right ? left : right);
}

/* Visits in order, handing the sum through; the previous key lies in a caller's frame. */
static NOINLINE uint64_t visit(const struct node *tree, int64_t *previous, uint64_t sum) {
  if (tree == NULL)
    return sum;
  sum = visit(tree->left, previous, sum);
  CHECK(*previous < (int64_t)tree->key);
  *previous = tree->key;
  return visit(tree->right, previous, mix(sum, tree->key));
}

static NOINLINE void discard(struct node *tree) {
  if (tree == NULL)
    return;
  discard(tree->left);
  discard(tree->right);
  free(tree);
}

static NOINLINE uint64_t tree_round(unsigned nodes, uint64_t seed) {
  struct node *tree = NULL;
  uint64_t random = seed | 1;
  for (unsigned i = 0; i < nodes; i++)
    tree = insert(tree, (uint32_t)(next_random(&random) >> 40));
  int64_t previous = -1;
  uint64_t sum = visit(tree, &previous, mix(tree->size, height(tree)));
  discard(tree);
  return sum;
}

static NOINLINE void hanoi(unsigned disks, int from, int to, int over, uint64_t *sum) {
  if (disks == 0)
    return;
  hanoi(disks - 1, from, over, to, sum);
  *sum = mix(*sum, (uint64_t)(from * 9 + to * 3 + over) * disks);
  hanoi(disks - 1, over, to, from, sum);
}

/* Solutions of the queens problem; three bit sets are live in every frame. */
static NOINLINE unsigned queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right) {
  if (columns == all)
    return 1;
  unsigned count = 0;
  for (uint32_t open = all & ~(columns | left | right); open != 0; open &= open - 1) {
    uint32_t bit = open & -open;
    count += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

/* All orders of a short word, in place, by Heap's method. */
static NOINLINE void permute(char *word, unsigned length, uint64_t *sum) {
  if (length <= 1) {
    *sum = mix_bytes(*sum, word, strlen(word));
    return;
  }
  for (unsigned i = 0; i < length; i++) {
    permute(word, length - 1, sum);
    unsigned j = length % 2 != 0 ? 0 : i;
    char swapped = word[j];
    word[j] = word[length - 1];
    word[length - 1] = swapped;
  }
}

static NOINLINE uint64_t round_of_all(unsigned number, uint64_t sum) {
  char word[] = "pausing";
  sum = mix(sum, ackermann(2, opaque(60) + number % 5));
  sum = mix(sum, ackermann(3, opaque(5)));
  sum = mix(sum, fibonacci((unsigned)opaque(22) + number % 3));
  sum = descend((unsigned)opaque(8000), sum, 1.0 + number);
  sum = even((unsigned)opaque(5000) + number, sum);
  sum = mix(sum, tree_round(2000, sum));
  hanoi((unsigned)opaque(13), 0, 2, 1, &sum);
  sum = mix(sum, queens(0xff, 0, 0, 0));
  permute(word, (unsigned)strlen(word), &sum);
  return sum;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 1500);
  uint64_t sum = 1;
  CHECK(ackermann(2, opaque(3)) == 9 && ackermann(3, opaque(3)) == 61);
  CHECK(fibonacci((unsigned)opaque(20)) == 6765);
  CHECK(queens((uint32_t)opaque(0xff), 0, 0, 0) == 92);
  for (long i = 0; i < rounds; i++) {
    sum = round_of_all((unsigned)i, sum);
    progress("recursion", i, rounds, sum);
  }
  return finish("recursion", sum);
}
