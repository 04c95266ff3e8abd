/*
 * Interpreters: the same random bytecode is executed by `goto *label[opcode]` and by a switch over the opcode, in loops that call
 * nothing, so that a thread can be stopped only on the way from one instruction to the next. Usage: interpreter [rounds]
 */
#include "program.h"

#define CODE 512
#define CELLS 16

/* One line for each opcode: what it does to the accumulator `a`, to `b`, and to the cell that the byte behind the opcode names. */
#define OPERATIONS(OP) \
  OP(0, a += *cell) OP(1, a -= *cell) OP(2, a ^= *cell) OP(3, a = a << 7 | a >> 57) OP(4, *cell = a) OP(5, *cell += b) \
  OP(6, b ^= a) OP(7, b += *cell << 1) OP(8, a *= 3) OP(9, b = b << 11 | b >> 53) OP(10, *cell ^= a >> 3) OP(11, a += b) \
  OP(12, a = ~a) OP(13, b -= a) OP(14, *cell *= 5) OP(15, a ^= b >> 9) OP(16, b |= *cell & 255) OP(17, a &= ~(*cell & 127)) \
  OP(18, *cell -= a ^ b) OP(19, a += *cell * b) OP(20, b += 17) OP(21, a -= 23) OP(22, *cell += 29) OP(23, *cell ^= b << 4) \
  OP(24, b = a - b) OP(25, a = b - a) OP(26, *cell = b + steps) OP(27, a ^= steps) OP(28, b ^= *cell) OP(29, a += a >> 7) \
  OP(30, b += b >> 5) OP(31, *cell += *cell >> 3) OP(32, a ^= 0x55) OP(33, b ^= 0xaa00) OP(34, *cell = ~*cell) OP(35, a += 1) \
  OP(36, x = x * 0.5 + (double)(a & 1023)) OP(37, a += (uint64_t)x) OP(38, b ^= (uint64_t)(x * 4.0)) OP(39, x += 0.25)
#define OPERATION_COUNT 40
#define END OPERATION_COUNT

struct machine {
  uint64_t cells[CELLS];
  unsigned char code[2 * CODE + 2];
};

static void load(struct machine *machine, uint64_t seed) {
  uint64_t state = seed | 1;
  for (size_t i = 0; i < CELLS; i++)
    machine->cells[i] = next_random(&state);
  for (size_t i = 0; i < CODE; i++) {
    machine->code[2 * i] = (unsigned char)(next_random(&state) >> 20) % OPERATION_COUNT;
    machine->code[2 * i + 1] = (unsigned char)(next_random(&state) >> 20) % CELLS;
  }
  machine->code[2 * CODE] = END;
}

static NOINLINE uint64_t by_labels(struct machine *machine, uint64_t turns) {
#define LABEL(number, action) [number] = &&op##number,
  static const void *const labels[] = {OPERATIONS(LABEL)[END] = &&end};
  const unsigned char *next = machine->code;
  uint64_t a = 1, b = 2, steps = 0, *cell;
  double x = 0.0;
  goto *labels[*next];
#define LABELLED(number, action) \
  op##number : cell = &machine->cells[next[1]]; \
  action; \
  next += 2; \
  steps++; \
  goto *labels[*next];
  OPERATIONS(LABELLED)
end:
  if (--turns == 0)
    return mix_double(mix(mix(a, b), steps), x);
  next = machine->code;
  goto *labels[*next];
}

static NOINLINE uint64_t by_switch(struct machine *machine, uint64_t turns) {
  const unsigned char *next = machine->code;
  uint64_t a = 1, b = 2, steps = 0, *cell;
  double x = 0.0;
  for (;;) {
    cell = &machine->cells[next[1] % CELLS];
    switch (*next) {
#define CASE(number, action) \
  case number: action; break;
      OPERATIONS(CASE)
      case END:
        if (--turns == 0)
          return mix_double(mix(mix(a, b), steps), x);
        next = machine->code;
        continue;
      default: return 0;
    }
    next += 2;
    steps++;
  }
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 400);
  uint64_t sum = opaque(71);
  for (long i = 0; i < rounds; i++) {
    static struct machine first, second;
    load(&first, mix(sum, 1));
    second = first;
    uint64_t turns = 300 + sum % 100, result = by_labels(&first, turns);
    CHECK(result == by_switch(&second, turns));
    CHECK(memcmp(first.cells, second.cells, sizeof first.cells) == 0);
    sum = mix(mix(sum, result), first.cells[sum % CELLS]);
    progress("interpreter", i, rounds, sum);
  }
  return finish("interpreter", sum);
}
