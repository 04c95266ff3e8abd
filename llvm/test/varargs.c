// Variadic functions take a pointer to 8-byte slots; calls without variadic arguments pass readable memory.
// RUN: %front_end -O0 -Xclang -disable-O0-optnone %s -o %t.bc
// RUN: %opt -passes=transproc-varargs -S %t.bc | FileCheck %s
typedef __builtin_va_list va_list;
int first(int n, ...) {
  // CHECK: define {{.*}}i32 @first(i32 {{[^,]*}}, ptr %va)
  // CHECK: store ptr %va, ptr
  // CHECK-NOT: call void @llvm.va_start
  va_list a, b;
  __builtin_va_start(a, n);
  __builtin_va_copy(b, a);
  int v = __builtin_va_arg(b, int);
  __builtin_va_end(a);
  return v;
}
int none(void) {
  // CHECK-LABEL: @none(
  // CHECK: call {{.*}}@first({{.*}}, ptr @__transproc_no_arguments)
  return first(1);
}
int some(__int128 wide) {
  // CHECK-LABEL: @some(
  // CHECK: %va.slots = alloca [64 x i8], align 16
  // CHECK: call void @llvm.lifetime.start
  // CHECK: store i64 7, ptr %[[#]], align 16
  // CHECK: getelementptr inbounds i8, ptr %va.slots, i64 16
  // CHECK: store i128
  // CHECK: call {{.*}}@first({{.*}}, ptr %va.slots)
  return first(1, 7, wide);
}
int shared(int n) {
  // CHECK-LABEL: @shared(
  // CHECK: %va.slots = alloca [80 x i8], align 16
  // CHECK-NOT: alloca [
  // CHECK: call {{.*}}@first({{.*}}, ptr %va.slots)
  // CHECK: call {{.*}}@first({{.*}}, ptr %va.slots)
  // CHECK: call {{.*}}@first({{.*}}, ptr %va.slots)
  // CHECK: ret
  return first(n, first(n, 1, 2)) + first(n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
}
#define FOUR(call) call; call; call; call
void many(void) {
  // CHECK-LABEL: @many(
  // CHECK: %va.slots = alloca
  // CHECK-NOT: lifetime
  // CHECK: ret void
  FOUR(FOUR(first(1, 2)));
}
int unprototyped();
int old(void) {
  // CHECK-LABEL: @old(
  // CHECK: call {{.*}}i32 @unprototyped(i32 {{.*}}3, ptr
  return unprototyped(3, "x");
}
