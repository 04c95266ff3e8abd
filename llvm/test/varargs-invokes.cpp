// A buffer that a call uses which may throw has no lifetimes: elsewhere it would lie where another object does.
// RUN: %front_end -O2 %s -o %t.bc
// RUN: %codegen %t.bc -o-x86_64 %t.o -o-ir %t.ll
// RUN: FileCheck %s < %t.ll
extern "C" int print(const char *, ...);
struct Text {
  char Letters[24];
  ~Text();
};
Text name();
// CHECK-LABEL: define {{.*}} @plain
// CHECK: lifetime.start{{.*}} %va.slots
extern "C" void plain() { print("%d", 1); }
// CHECK-LABEL: define {{.*}} @mixed
// CHECK-NOT: lifetime{{.*}}%va.slots
// CHECK-LABEL: define {{.*}} @plain.resume
extern "C" void mixed() {
  print("%d", 1);
  Text T = name();
  print("%s", T.Letters);
}
