// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// moment("name"): a place at which the process may have to move. If it is the next word of the variable MOMENTS (one,two,…), the program
// says so on standard error, waits there until it has moved, and says that, and how many exceptions are on their way: so it is
// known, not probable, where it moved. In one unit of a program. `tests/programs/moments.py` moves it. A program of another compiler waits for nobody.
#ifndef MOMENTS_H
#define MOMENTS_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOVES = 10, PATIENCE = 60000 };  // the word that each move changes (runtime/include/transproc/args.h); milliseconds

#ifdef __cplusplus
extern "C" __attribute__((weak)) volatile unsigned long __transproc_args[];
extern "C" __attribute__((weak)) unsigned __cxa_uncaught_exceptions() noexcept;  // the other library has none
#else
extern __attribute__((weak)) volatile unsigned long __transproc_args[];
#endif

__attribute__((noinline, unused)) static int on_their_way(void) {
#ifdef __cplusplus
  return __cxa_uncaught_exceptions ? (int)__cxa_uncaught_exceptions() : -1;
#else
  return 0;
#endif
}

__attribute__((noinline, unused)) static void moment(const char *name) {
  static const char *left;
  size_t length = strlen(name);
  if (!__transproc_args) return;
  if (!left) left = getenv("MOMENTS");
  if (!left) left = "";
  if (strncmp(left, name, length) || (left[length] && left[length] != ',')) return;
  left += length + (left[length] == ',');
  unsigned long before = __transproc_args[MOVES];
  dprintf(2, "at %s\n", name);
  for (int i = 0; i < PATIENCE && __transproc_args[MOVES] == before; ++i) usleep(1000);
  dprintf(2, "%s at %s, %d on their way\n", __transproc_args[MOVES] == before ? "never moved" : "moved", name, on_their_way());
}
#endif
