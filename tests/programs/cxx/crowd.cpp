// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// crowd ROUNDS: a function in which hundreds of calls may throw, at most one of them in each round, and all paths of an exception, each
// behind a destructor of its own, come together to leave it. Its resume entry joins twice as many.
extern "C" int printf(const char *, ...);
extern "C" int atoi(const char *);

#define NOINLINE __attribute__((noinline))

static unsigned long sum = 1;
static int calls, target;
static void mix(unsigned long v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
NOINLINE static unsigned long fibonacci(unsigned long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

struct Thrown { int at; };

NOINLINE static unsigned long work(unsigned long v) {
  if (++calls == target)
    throw Thrown{calls};
  return fibonacci(v & 7);
}

struct Guard {
  unsigned long key;
  explicit Guard(unsigned long key) : key(work(key)) {}
  NOINLINE ~Guard() { mix(key + fibonacci(4)); }
};

#define PIECE(n) { Guard guard(v + n); v += work(guard.key ^ n) + 1; }
#define SIX(n) PIECE(n) PIECE(n + 1) PIECE(n + 2) PIECE(n + 3) PIECE(n + 4) PIECE(n + 5)
#define MORE(n) SIX(n) SIX(n + 6) SIX(n + 12) SIX(n + 18) SIX(n + 24) SIX(n + 30)

NOINLINE static unsigned long crowd(unsigned long v) {
  Guard outer(v);
  MORE(1) MORE(40) MORE(80) MORE(120)
  return v;
}

int main(int, char **argv) {
  int rounds = atoi(argv[1]), thrown = 0;
  for (int round = 0; round < rounds; ++round) {
    calls = 0;
    target = 1 + round * 37 % 300;  // the largest are never reached
    try {
      mix(crowd(round));
    } catch (const Thrown &e) {
      mix(e.at);
      ++thrown;
    }
  }
  printf("%d thrown, %016lx\n", thrown, sum);
}
