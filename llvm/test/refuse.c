// Constructs that cannot migrate are errors with their place; empty assembly (a compiler barrier) is none.
// RUN: %front_end -O2 %s -o %t.bc
// RUN: not %codegen %t.bc -o-x86_64 %t.o 2>&1 | FileCheck %s
// RUN: sh -c '%codegen %t.bc -o-x86_64 %t.o 2>/dev/null; test $? = 3'
// CHECK: refuse.c: error: assembly at file level cannot migrate
// CHECK-NEXT: note: write it for each ISA
__asm__(".globl elsewhere");
// CHECK: refuse.c:[[#@LINE+2]]: error: ifunc cannot migrate
static int one(void) { return 1; }
static int (*resolve(void))(void) { return one; }
int chosen(void) __attribute__((ifunc("resolve")));
// CHECK-NOT: error:
void nop(void) {
  // CHECK: refuse.c:[[#@LINE+2]]:3: error: inline assembly cannot migrate
  // CHECK-NEXT: note: write it in C
  __asm__ volatile("nop");
}
void *ra(void) {
  // CHECK: refuse.c:[[#@LINE+1]]:{{[0-9]+}}: error: __builtin_return_address cannot migrate
  return __builtin_return_address(0);
}
void *fa(void) {
  // CHECK: refuse.c:[[#@LINE+1]]:{{[0-9]+}}: error: __builtin_frame_address of a caller cannot migrate
  return __builtin_frame_address(1);
}
// CHECK: refuse.c:[[#@LINE+1]]: error: target attribute: no ISA has the feature 'nonsense'
__attribute__((target("avx2,nonsense"))) int attribute(void) { return 1; }
// CHECK-NOT: error:
void *own_frame(void) { return __builtin_frame_address(0); }
__attribute__((target("avx2,no-sse4.2"))) int x86(void) { return 1; }
__attribute__((target("+sve,+nosimd"))) int arm(void) { return 1; }
int barrier(int x) {
  __asm__ volatile("" : "+r"(x) : : "memory");
  return x;
}
