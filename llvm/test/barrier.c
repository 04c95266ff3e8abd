// Empty assembly survives to both back ends: the loop's result is not folded.
// RUN: %front_end -O2 %s -o %t.bc
// RUN: %codegen -S %t.bc -o-x86_64 %t.x86_64.s -o-aarch64 %t.aarch64.s
// RUN: FileCheck %s < %t.x86_64.s
// RUN: FileCheck %s < %t.aarch64.s
// CHECK-LABEL: barrier:
// CHECK: {{(#|//)}}APP
int barrier(void) {
  int x = 1;
  __asm__ volatile("" : "+r"(x) : : "memory");
  return x + 1;
}
// CHECK-LABEL: told:
// CHECK: {{(#|//)}}APP
// CHECK-NOT: known
int *told(int *place) {
  __asm__ volatile("# a pointer, for all that is known\n\t\n\t# from here on" : "+r"(place));
  return place;
}
