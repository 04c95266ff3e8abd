// OpenMP's directives for other devices are errors with their line, once each; those for processors are none.
// RUN: %front_end -O2 -fopenmp -Xclang -fopenmp-targets=x86_64-linux-musl %s -o %t.bc
// RUN: not %codegen %t.bc -o-x86_64 %t.o 2>&1 | FileCheck %s --implicit-check-not=error:
// RUN: %front_end -O2 -fopenmp -Xclang -fopenmp-targets=x86_64-linux-musl -DPROCESSORS %s -o %t.good.bc
// RUN: %codegen %t.good.bc -o-x86_64 %t.o
// RUN: %front_end -O2 -g0 -fopenmp -Xclang -fopenmp-targets=x86_64-linux-musl %s -o %t.bare.bc
// RUN: not %codegen %t.bare.bc -o-x86_64 %t.o 2>&1 | FileCheck --check-prefix=BARE %s
// BARE: offload.c: in function 'regions': error: OpenMP's target: there is no other device
typedef void *omp_interop_t;
int a[100];
#ifndef PROCESSORS
#pragma omp declare target
int table[10];
int unused(int x) { return x + 1; }
#pragma omp end declare target
#pragma omp begin declare target indirect
int pointed(int x) { return x + 2; }
#pragma omp end declare target
#pragma omp declare target link(a)
void regions(int *p, int n) {
  // CHECK: offload.c:[[#@LINE+2]]: error: OpenMP's target: there is no other device
  // CHECK-NEXT: note: leave it out, or compile without -fopenmp
#pragma omp target map(tofrom : p[0 : n])
  p[0]++;
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target teams distribute parallel for
  for (int i = 0; i < 100; i++)
    a[i] += i;
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target if (0)
  a[3]++;
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target nowait depend(inout : a)
  a[4]++;
}
void data(int *p, int n) {
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target data map(to : p[0 : n])
  p[1] = 3;
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target enter data map(to : p[0 : n])
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target exit data map(from : p[0 : n])
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target update to(p[0 : n])
}
void later(int *p, int n) {
  omp_interop_t object;
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp interop init(targetsync : object)
  // CHECK: offload.c:[[#@LINE+1]]: error: OpenMP's target:
#pragma omp target update from(p[0 : n]) nowait
}
// CHECK-DAG: offload.c: 'a': error: OpenMP's declare target: there is no other device
// CHECK-DAG: offload.c: 'pointed': error: OpenMP's declare target: there is no other device
// CHECK-DAG: offload.c: 'table': error: OpenMP's declare target: there is no other device
#endif
int processors(void) {
  int s = 0;
#pragma omp parallel for reduction(+ : s) schedule(dynamic)
  for (int i = 0; i < 100; i++)
    s += a[i];
#pragma omp teams distribute parallel for simd
  for (int i = 0; i < 100; i++)
    a[i] += s;
  return s;
}
#pragma omp requires atomic_default_mem_order(seq_cst)
