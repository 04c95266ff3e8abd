/*
 * The heap: a balanced tree, a hash table that grows, linked lists that are sorted, arrays that realloc moves, blocks
 * of many sizes freed in another order, and as a second argument so many megabytes kept filled. Usage: heap [rounds]
 * [megabytes]
 */
#include "program.h"

static void *allocate(size_t size) {
  void *memory = malloc(size);
  CHECK(memory != NULL);
  return memory;
}

/* A treap: a search tree that is balanced by random priorities. */
struct node {
  struct node *left, *right;
  uint64_t key, priority, *payload;
};

static NOINLINE struct node *rotate(struct node *tree, bool right) {
  struct node *up = right ? tree->left : tree->right;
  if (right) {
    tree->left = up->right;
    up->right = tree;
  } else {
    tree->right = up->left;
    up->left = tree;
  }
  return up;
}

static NOINLINE struct node *insert(struct node *tree, uint64_t key, uint64_t *random) {
  if (tree == NULL) {
    tree = allocate(sizeof *tree);
    *tree = (struct node){.key = key, .priority = next_random(random), .payload = allocate(sizeof(uint64_t))};
    *tree->payload = ~key;
    return tree;
  }
  if (key < tree->key) {
    tree->left = insert(tree->left, key, random);
    return tree->left->priority > tree->priority ? rotate(tree, true) : tree;
  }
  if (key > tree->key) {
    tree->right = insert(tree->right, key, random);
    return tree->right->priority > tree->priority ? rotate(tree, false) : tree;
  }
  ++*tree->payload;
  return tree;
}

static NOINLINE uint64_t empty(struct node *tree, uint64_t sum) {
  if (tree == NULL)
    return sum;
  sum = empty(tree->left, sum);
  sum = mix(mix(sum, tree->key), *tree->payload);
  sum = empty(tree->right, sum);
  free(tree->payload);
  free(tree);
  return sum;
}

static NOINLINE uint64_t trees(uint64_t seed) {
  struct node *tree = NULL;
  uint64_t random = seed | 1;
  for (int i = 0; i < 3000; i++)
    tree = insert(tree, next_random(&random) >> 50, &random);
  return empty(tree, seed);
}

/* Open hashing of strings; doubles its buckets when it is full. */
struct word {
  struct word *next;
  uint64_t hash;
  unsigned count;
  char text[];
};

struct table {
  struct word **buckets;
  size_t size, used;
};

static NOINLINE void grow(struct table *table) {
  size_t size = table->size * 2;
  struct word **buckets = calloc(size, sizeof *buckets);
  CHECK(buckets != NULL);
  for (size_t i = 0; i < table->size; i++)
    for (struct word *word = table->buckets[i], *next; word != NULL; word = next) {
      next = word->next;
      word->next = buckets[word->hash % size];
      buckets[word->hash % size] = word;
    }
  free(table->buckets);
  *table = (struct table){buckets, size, table->used};
}

static NOINLINE void count_word(struct table *table, const char *text) {
  size_t length = strlen(text);
  uint64_t hash = mix_bytes(0, text, length);
  struct word **bucket = &table->buckets[hash % table->size];
  for (struct word *word = *bucket; word != NULL; word = word->next)
    if (strcmp(word->text, text) == 0) {
      word->count++;
      return;
    }
  struct word *word = allocate(sizeof *word + length + 1);
  *word = (struct word){*bucket, hash, 1};
  memcpy(word->text, text, length + 1);
  *bucket = word;
  if (++table->used > table->size)
    grow(table);
}

static NOINLINE uint64_t hashes(uint64_t seed) {
  struct table table = {calloc(8, sizeof *table.buckets), 8, 0};
  CHECK(table.buckets != NULL);
  uint64_t random = seed | 1, sum = 0;
  char text[24];
  for (int i = 0; i < 2000; i++) {
    snprintf(text, sizeof text, "word%" PRIu64, next_random(&random) >> 54);
    count_word(&table, text);
  }
  for (size_t i = 0; i < table.size; i++)
    for (struct word *word = table.buckets[i], *next; word != NULL; word = next) {
      next = word->next;
      sum += mix(word->hash, word->count);
      free(word);
    }
  free(table.buckets);
  return mix(sum, table.used);
}

/* A list sorted by merging; the recursion takes it apart and joins it again. */
struct cell {
  struct cell *next;
  uint32_t value;
};

static NOINLINE struct cell *merge(struct cell *a, struct cell *b) {
  struct cell head = {0}, *last = &head;
  while (a != NULL && b != NULL) {
    struct cell **from = a->value <= b->value ? &a : &b;
    last = last->next = *from;
    *from = (*from)->next;
  }
  last->next = a != NULL ? a : b;
  return head.next;
}

static NOINLINE struct cell *sort(struct cell *list) {
  if (list == NULL || list->next == NULL)
    return list;
  struct cell *slow = list, *fast = list->next;
  for (; fast != NULL && fast->next != NULL; fast = fast->next->next)
    slow = slow->next;
  struct cell *second = slow->next;
  slow->next = NULL;
  struct cell *first = sort(list);
  return merge(first, sort(second));
}

static NOINLINE uint64_t lists(uint64_t seed) {
  struct cell *list = NULL;
  uint64_t random = seed | 1, sum = 0;
  for (int i = 0; i < 2000; i++) {
    struct cell *cell = allocate(sizeof *cell);
    *cell = (struct cell){list, (uint32_t)(next_random(&random) >> 32)};
    list = cell;
  }
  uint32_t previous = 0;
  for (struct cell *cell = sort(list), *next; cell != NULL; cell = next) {
    next = cell->next;
    CHECK(previous <= cell->value);
    previous = cell->value;
    sum = mix(sum, previous);
    free(cell);
  }
  return sum;
}

/* Blocks of 1 byte to 200 KB, resized and freed in another order than they were made. */
static NOINLINE uint64_t blocks(uint64_t seed) {
  enum { COUNT = 60 };
  uint8_t *block[COUNT];
  size_t size[COUNT];
  uint64_t random = seed | 1, sum = 0;
  for (unsigned i = 0; i < COUNT; i++) {
    size[i] = 1 + (next_random(&random) >> 40) % (i % 20 == 0 ? 200000 : 600);
    block[i] = allocate(size[i]);
    memset(block[i], (int)i, size[i]);
  }
  for (unsigned i = 0; i < COUNT; i++) {
    unsigned j = i * 7 % COUNT;
    size_t larger = size[j] * 2 + 1;
    block[j] = realloc(block[j], larger);
    CHECK(block[j] != NULL && block[j][0] == j && block[j][size[j] - 1] == j);
    memset(block[j] + size[j], (int)j + 1, larger - size[j]);
    sum = mix(sum, block[j][larger - 1] + larger);
  }
  for (unsigned i = 0; i < COUNT; i++)
    free(block[(i * 11 + 5) % COUNT]);
  return sum;
}

/* What is kept over all rounds: every word has a known value, and each round changes every 512th. */
static NOINLINE void fill_kept(uint64_t *kept, size_t words) {
  for (size_t i = 0; i < words; i++)
    kept[i] = mix(i, 5);
}

static NOINLINE uint64_t change_kept(uint64_t *kept, size_t words, uint64_t sum) {
  for (size_t i = 0; i < words; i += 512) {
    kept[i] += sum;
    sum = mix(sum, kept[i]);
  }
  return sum;
}

static NOINLINE void check_kept(const uint64_t *kept, size_t words) {
  for (size_t i = 0; i < words; i++)
    CHECK(i % 512 == 0 || kept[i] == mix(i, 5));
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 700);
  size_t words = (size_t)argument(argc, argv, 2, 8) * 1048576 / sizeof(uint64_t);
  uint64_t *kept = allocate(words * sizeof *kept + 1), sum = opaque(37);
  fill_kept(kept, words);
  for (long i = 0; i < rounds; i++) {
    sum = trees(sum);
    sum = mix(sum, hashes(sum));
    sum = mix(sum, lists(sum));
    sum = mix(sum, blocks(sum));
    sum = change_kept(kept, words, sum);
    progress("heap", i, rounds, sum);
  }
  check_kept(kept, words);
  free(kept);
  return finish("heap", sum);
}
