// Code for -Oz is not put into functions of one ISA alone, as aarch64's back end does by itself.
// RUN: %front_end -Oz %s -o %t.bc
// RUN: %codegen -Oz %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
// RUN: llvm-nm-19 %t.aarch64.o | FileCheck %s
// RUN: %same_lists %t.x86_64.o %t.aarch64.o
void step(int *, int, int, int);
#define FUNCTION(N)                                                                                                                   \
  void function##N(int *place) {                                                                                                      \
    step(place, 1, 2, 3);                                                                                                             \
    step(place + 4, 4, 5, 6);                                                                                                         \
    step(place + 9, 7, 8, N);                                                                                                         \
  }
FUNCTION(1) FUNCTION(2) FUNCTION(3) FUNCTION(4) FUNCTION(5) FUNCTION(6) FUNCTION(7) FUNCTION(8)
// CHECK-NOT: OUTLINED
// CHECK: T function1
