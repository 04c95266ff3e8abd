// Names of features and processors that no ISA has are errors; others mean nothing. The macros are transproc-cc's.
// RUN: %front_end -O2 %s -o %t.bc
// RUN: %codegen %t.bc -o-x86_64 %t.o -o-ir %t.ll
// RUN: FileCheck --check-prefix=GOOD %s < %t.ll
// RUN: %front_end -O2 -DWRONG %s -o %t.wrong.bc
// RUN: not %codegen %t.wrong.bc -o-x86_64 %t.o 2>&1 | FileCheck %s
#define target_clones(...) annotate("target_clones", __VA_ARGS__)
#define __builtin_cpu_supports(name) __builtin_annotation(__builtin_annotation(0, "__builtin_cpu_supports"), name)
#define __builtin_cpu_is(name) __builtin_annotation(__builtin_annotation(0, "__builtin_cpu_is"), name)
// GOOD-NOT: annotation
// GOOD: define {{.*}} @asks()
// GOOD-NEXT: ret i32 0
int asks(void) {
  return __builtin_cpu_supports("avx2") + __builtin_cpu_supports("x86-64-v3") + __builtin_cpu_supports("cmpxchg16b") + __builtin_cpu_supports("hle") + __builtin_cpu_supports("avx10.1") +
         __builtin_cpu_supports("sve2+i8mm") + __builtin_cpu_is("intel") + __builtin_cpu_is("amdfam17h") + __builtin_cpu_is("znver3");
}
// GOOD-NOT: annotation
// GOOD-NOT: @unused
int declared(void) __attribute__((target_clones("default", "avx2", "arch=haswell", "arch=x86-64-v3", "sse4.1,avx", "sve2+bf16", "rcpc3")));
int declared(void) { return 1; }
__attribute__((annotate("nosuch"))) int of_its_own(void) { return __builtin_annotation(4, "nosuch"); }
__attribute__((target_clones("default", "avx2"))) static int unused(void) { return 2; }
#ifdef WRONG
// CHECK: versions.c:[[#@LINE+3]]: error: target_clones: no ISA has the feature 'nonsense'
// CHECK-NEXT: note: code is compiled for every processor
// CHECK-NEXT: versions.c:[[#@LINE+1]]: error: target_clones: no ISA has the processor 'other'
__attribute__((target_clones("default", "nonsense", "avx2", "arch=other"))) int clones(void) { return 1; }
// CHECK: versions.c:[[#@LINE+1]]: error: target_clones: no ISA has the feature 'sve9'
__attribute__((target_clones("default", "sve2+sve9"))) int parts(void) { return 1; }
// CHECK: versions.c:[[#@LINE+2]]:{{[0-9]+}}: error: __builtin_cpu_supports: no ISA has the feature 'avx17'
// CHECK-NEXT: note: the answer is no for every name
int supports(void) { return __builtin_cpu_supports("avx17"); }
// CHECK: versions.c:[[#@LINE+1]]:{{[0-9]+}}: error: __builtin_cpu_is: no ISA has the processor 'nosuch'
int is(void) { return __builtin_cpu_is("nosuch"); }
// CHECK-NOT: error:
#endif
