// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a throw costs: throws [MOVED]. Through so many frames, with and without destructors; the median of some rounds.
// With MOVED it first waits, that deep, until the process has moved (for three seconds at most), and then throws through those frames.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern "C" __attribute__((weak)) volatile unsigned long __transproc_args[];

namespace {

enum { MIGRATIONS = 9, ROUNDS = 41 };
volatile int sink;
bool waits;
int moved;

struct Guard {
  int key;
  __attribute__((noinline)) ~Guard() { sink = sink + key; }
};

__attribute__((noinline)) int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

double now() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double thrown;

__attribute__((noinline)) void innermost() {
  if (waits) {
    const unsigned long before = __transproc_args[MIGRATIONS];
    for (double until = now() + 3e9; __transproc_args[MIGRATIONS] == before && now() < until;) sink = fibonacci(10);
    moved += __transproc_args[MIGRATIONS] != before;
  }
  thrown = now();
  throw 1;
}

template <bool Cleanup> __attribute__((noinline)) int deep(int depth) {
  if (depth == 0) innermost();
  if constexpr (Cleanup) {
    Guard guard{depth};
    return deep<Cleanup>(depth - 1) + 1;
  }
  const int below = deep<Cleanup>(depth - 1);
  sink = below;  // no loop is made of it
  return below + 1;
}

template <bool Cleanup> __attribute__((noinline)) double one(int depth) {
  try {
    sink = deep<Cleanup>(depth);
  } catch (int) {
    return now() - thrown;
  }
  return 0;
}

template <bool Cleanup> double median(int depth) {
  std::vector<double> all;
  for (int round = 0; round < ROUNDS; ++round) {
    double sum = 0;
    const int count = 2000 / (depth + 1) + 1;
    for (int i = 0; i < count; ++i) sum += one<Cleanup>(depth);
    all.push_back(sum / count);
  }
  std::sort(all.begin(), all.end());
  return all[ROUNDS / 2];
}

} // namespace

int main(int argc, char **argv) {
  if (argc > 1 && __transproc_args) {
    waits = true;
    const int depth = std::atoi(argv[1]);
    const double plain = one<false>(depth), guarded = one<true>(depth);
    std::printf("%d frames, %d of 2 times moved: %.0f ns, with destructors %.0f ns\n", depth, moved, plain, guarded);
    waits = false;
  }
  for (int depth : {0, 10, 100}) {
    const double plain = median<false>(depth), guarded = median<true>(depth);
    std::printf("%d frames: %.0f ns, with destructors %.0f ns\n", depth, plain, guarded);
  }
}
