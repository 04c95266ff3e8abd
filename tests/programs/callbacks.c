/*
 * Calls through pointers: qsort and bsearch whose callbacks recurse, tables of functions, visitors, and one little
 * program in three interpreters: by switch, by computed goto and by table. Usage: callbacks [rounds]
 */
#include "program.h"

#define COUNT 64

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 61); }

struct item {
  char name[12];
  uint32_t weight;
  double value;
};

static unsigned comparisons;

/* Compares two names from their ends by recursion, while qsort's frame lies below. */
static NOINLINE int compare_text(const char *a, const char *b) {
  if (*a == '\0' || *b == '\0')
    return (*a != '\0') - (*b != '\0');
  int rest = compare_text(a + 1, b + 1);
  return rest != 0 ? rest : (*a > *b) - (*a < *b);
}

static int by_name(const void *a, const void *b) {
  const struct item *x = a, *y = b;
  comparisons++;
  int order = compare_text(x->name, y->name);
  return order != 0 ? order : (x->weight > y->weight) - (x->weight < y->weight);
}

static int by_value(const void *a, const void *b) {
  const struct item *x = a, *y = b;
  if (x->value != y->value)
    return x->value < y->value ? -1 : 1;
  return by_name(a, b);
}

/* Compares by sorting digits first: a qsort inside the callback of a qsort. */
static int by_char(const void *a, const void *b) { return *(const char *)a - *(const char *)b; }

static int by_sorted_name(const void *a, const void *b) {
  struct item x = *(const struct item *)a, y = *(const struct item *)b;
  qsort(x.name, strlen(x.name), 1, by_char);
  qsort(y.name, strlen(y.name), 1, by_char);
  int order = strcmp(x.name, y.name);
  return order != 0 ? order : by_name(a, b);
}

static NOINLINE void make_items(struct item *items, uint64_t seed) {
  seed |= 1;
  for (unsigned i = 0; i < COUNT; i++) {
    uint64_t random = next_random(&seed);
    snprintf(items[i].name, sizeof items[i].name, "%" PRIx64, random >> 36);
    items[i].weight = i;
    items[i].value = (double)(random >> 50) * 0.5;
  }
}

static NOINLINE uint64_t sorts(uint64_t seed) {
  static int (*const orders[])(const void *, const void *) = {by_name, by_value, by_sorted_name};
  struct item items[COUNT], key;
  uint64_t sum = seed;
  make_items(items, seed);
  key = items[seed % COUNT];
  for (unsigned o = 0; o < 3; o++) {
    qsort(items, COUNT, sizeof *items, orders[o]);
    for (unsigned i = 1; i < COUNT; i++)
      CHECK(orders[o](&items[i - 1], &items[i]) < 0);
    struct item *found = bsearch(&key, items, COUNT, sizeof *items, orders[o]);
    CHECK(found != NULL && found->weight == key.weight);
    sum = mix(mix(sum, (uint64_t)(found - items)), items[0].weight);
  }
  CHECK(comparisons != 0);
  return sum;
}

/* A visitor that is handed down with its context. */
typedef void (*visitor)(void *context, int value);

static NOINLINE void divide_and_visit(int low, int high, visitor visit, void *context) {
  if (high - low == 1) {
    visit(context, low);
    return;
  }
  int middle = low + (high - low) / 2;
  divide_and_visit(low, middle, visit, context);
  divide_and_visit(middle, high, visit, context);
}

struct totals {
  uint64_t sum;
  double mean;
  int count;
};

static void add_up(void *context, int value) {
  struct totals *totals = context;
  totals->sum = step(totals->sum + (uint64_t)value);
  totals->mean += (value - totals->mean) / ++totals->count;
}

static void nest(void *context, int value) { divide_and_visit(value, value + 3, add_up, context); }

static NOINLINE uint64_t visits(uint64_t seed) {
  struct totals totals = {seed, 0.0, 0};
  divide_and_visit(0, 50, add_up, &totals);
  divide_and_visit(0, 20, nest, &totals);
  CHECK(totals.count == 110);
  return mix_double(totals.sum, totals.mean);
}

/* The interpreted program: sums k * k + (k ^ 3) for k from n down to 1, with a call of a function in each turn. */
enum operation { PUSH, LOAD, STORE, ADD, MULTIPLY, XOR, CALL, DECREMENT, JUMP_IF, HALT };

static const int program[] = {LOAD, 0, LOAD, 0, MULTIPLY, LOAD, 0, PUSH,    3, XOR, ADD,     LOAD, 1,
                              ADD,  CALL, STORE, 1,  DECREMENT, 0, JUMP_IF, 0, 0,   HALT};

struct machine {
  uint64_t stack[8], variables[2];
  int top, at;
};

static NOINLINE uint64_t call(uint64_t value) { return value % 3 == 0 ? step(value) : value + 1; }
static NOINLINE void push(struct machine *m, uint64_t value) { m->stack[m->top++] = value; }
static NOINLINE uint64_t pop(struct machine *m) { return m->stack[--m->top]; }

static NOINLINE uint64_t by_switch(uint64_t n, uint64_t start) {
  struct machine m = {.variables = {n, start}};
  for (;;) {
    uint64_t a;
    switch ((enum operation)program[m.at++]) {
    case PUSH: push(&m, (uint64_t)program[m.at++]); break;
    case LOAD: push(&m, m.variables[program[m.at++]]); break;
    case STORE: m.variables[program[m.at++]] = pop(&m); break;
    case ADD: a = pop(&m); push(&m, a + pop(&m)); break;
    case MULTIPLY: a = pop(&m); push(&m, a * pop(&m)); break;
    case XOR: a = pop(&m); push(&m, a ^ pop(&m)); break;
    case CALL: push(&m, call(pop(&m))); break;
    case DECREMENT: m.variables[program[m.at++]]--; break;
    case JUMP_IF: m.at = m.variables[program[m.at]] != 0 ? program[m.at + 1] : m.at + 2; break;
    case HALT: return m.variables[1];
    }
  }
}

/* The same with labels as values (a GNU extension); the stack is in locals. */
static NOINLINE uint64_t by_goto(uint64_t n, uint64_t start) {
  static const void *const labels[] = {&&push, &&load, &&store,     &&add,  &&multiply,
                                       &&xor,  &&call, &&decrement, &&jump, &&halt};
  uint64_t stack[8], variables[2] = {n, start}, *top = stack;
  const int *at = program;
#define NEXT goto *labels[*at++]
  NEXT;
push: *top++ = (uint64_t)*at++; NEXT;
load: *top++ = variables[*at++]; NEXT;
store: variables[*at++] = *--top; NEXT;
add: top--; top[-1] += *top; NEXT;
multiply: top--; top[-1] *= *top; NEXT;
xor: top--; top[-1] ^= *top; NEXT;
call: top[-1] = call(top[-1]); NEXT;
decrement: variables[*at++]--; NEXT;
jump: at = variables[at[0]] != 0 ? program + at[1] : at + 2; NEXT;
halt: return variables[1];
#undef NEXT
}

static bool do_push(struct machine *m) { return push(m, (uint64_t)program[m->at++]), true; }
static bool do_load(struct machine *m) { return push(m, m->variables[program[m->at++]]), true; }
static bool do_store(struct machine *m) { return m->variables[program[m->at++]] = pop(m), true; }
static bool do_call(struct machine *m) { return push(m, call(pop(m))), true; }
static bool do_decrement(struct machine *m) { return m->variables[program[m->at++]]--, true; }
static bool do_halt(struct machine *m) { return m->top != 0; }

static bool do_add(struct machine *m) {
  uint64_t a = pop(m);
  return push(m, a + pop(m)), true;
}

static bool do_multiply(struct machine *m) {
  uint64_t a = pop(m);
  return push(m, a * pop(m)), true;
}

static bool do_xor(struct machine *m) {
  uint64_t a = pop(m);
  return push(m, a ^ pop(m)), true;
}

static bool do_jump(struct machine *m) {
  m->at = m->variables[program[m->at]] != 0 ? program[m->at + 1] : m->at + 2;
  return true;
}

static NOINLINE uint64_t by_table(uint64_t n, uint64_t start) {
  static bool (*const table[])(struct machine *) = {do_push, do_load, do_store,     do_add,  do_multiply,
                                                    do_xor,  do_call, do_decrement, do_jump, do_halt};
  struct machine m = {.variables = {n, start}};
  while (table[program[m.at++]](&m))
    ;
  return m.variables[1];
}

static NOINLINE uint64_t interpreters(uint64_t seed) {
  uint64_t (*const interpreters[])(uint64_t, uint64_t) = {by_switch, by_goto, by_table};
  uint64_t expected = seed;
  for (uint64_t k = 200; k != 0; k--)
    expected = call(k * k + (k ^ 3) + expected);
  for (unsigned i = 0; i < 3; i++)
    CHECK(interpreters[i](opaque(200), seed) == expected);
  return expected;
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 6000);
  uint64_t sum = opaque(19);
  for (long i = 0; i < rounds; i++) {
    sum = sorts(sum);
    sum = visits(sum);
    sum = mix(sum, interpreters(sum));
    progress("callbacks", i, rounds, sum);
  }
  return finish("callbacks", sum);
}
