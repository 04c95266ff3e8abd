// __builtin_frame_address(0) is an object of the frame; __builtin_setjmp, as transproc-cc names it, has a real buffer there.
// RUN: %front_end -O2 %s -o %t.bc
// RUN: %codegen -O2 %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o -o-ir %t.ll
// RUN: FileCheck %s < %t.ll
// RUN: %same_lists %t.x86_64.o %t.aarch64.o
int __transproc_builtin_setjmp(void *) __attribute__((returns_twice));
void __transproc_builtin_longjmp(void *) __attribute__((noreturn));
void other(void *);

// CHECK: define {{.*}}@frame(
// CHECK: %frame.address = alloca i8
void *frame(void) {
  void *mine = __builtin_frame_address(0);
  other(mine);
  return __builtin_frame_address(0) == mine ? mine : 0;
}

// CHECK: define {{.*}}@catch(
// CHECK: %jump.buffer = alloca [312 x i8]
// CHECK: store ptr %jump.buffer, ptr
// CHECK: call i32 @{{_setjmp|__transproc_setjmp}}(ptr {{.*}}%jump.buffer
int catch(void **buffer) {
  if (__transproc_builtin_setjmp(buffer))
    return 1;
  other(buffer);
  return 0;
}

// CHECK: define {{.*}}@throw(
// CHECK: load ptr, ptr
// CHECK: @_longjmp
void throw(void **buffer) {
  other(buffer);
  __transproc_builtin_longjmp(buffer);
}
