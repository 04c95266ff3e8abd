// Atomic arithmetic on floating-point numbers: whether the store succeeded is looked at (LLVM 19 drops it where the result is not used).
// RUN: %front_end -O2 -fopenmp %s -o %t.bc
// RUN: %codegen %t.bc -o-aarch64 %t.aarch64.o
// RUN: llvm-objdump-19 -d --no-show-raw-insn %t.aarch64.o | FileCheck %s
// CHECK-LABEL: <add>:
// CHECK-NOT: {{stl?xr}} wzr
// CHECK: {{stl?xr}} [[STATUS:w[0-9]+]], x
// CHECK-NEXT: cb{{n?}}z [[STATUS]]
void add(double *sum, double value) {
#pragma omp atomic
  *sum += value;
}
// CHECK-LABEL: <less>:
// CHECK-NOT: {{stl?xr}} wzr
// CHECK: {{stl?xr}} [[STATUS:w[0-9]+]], w
// CHECK-NEXT: cb{{n?}}z [[STATUS]]
_Atomic float less_of;
void less(float value) { less_of -= value; }
