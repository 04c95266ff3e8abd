// Of a large loop that most turns leave early a copy runs in strips; one whose every turn is long counts.
// RUN: %front_end -O1 %s -o %t.bc
// RUN: %opt -passes="default<O1>,transproc-sites" -S %t.bc | FileCheck %s
#define FOUR(step) step step step step
#define MUCH(p) FOUR(FOUR(FOUR(*(p) = 1;)))

void seldom(volatile int *p, const char *far, long n) {
  // CHECK-LABEL: define {{.*}}@seldom(
  // CHECK: strip:
  // CHECK-NOT: define
  // CHECK: ret void
  for (long i = 0; i < n; i++) {
    if (far[i])
      continue;
    MUCH(p)
    MUCH(p)
  }
}

void always(volatile int *p, const char *far, long n) {
  // CHECK-LABEL: define {{.*}}@always(
  // CHECK-NOT: strip:
  // CHECK: ret void
  for (long i = 0; i < n; i++) {
    MUCH(p)
    MUCH(p)
  }
}
