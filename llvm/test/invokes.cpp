// Calls that may throw become invoke statepoints; resume entries raise the exception anew where the call was; selectors are the same
// numbers in the function and its resume entry; what belongs to an inline function is in its group.
// RUN: %front_end -std=c++20 -fexceptions -fcxx-exceptions -O2 %s -o %t.bc
// RUN: %codegen %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o -o-ir %t.ll
// RUN: FileCheck %s < %t.ll
// RUN: FileCheck --check-prefix=LISTS %s < %t.ll
// RUN: FileCheck --check-prefix=MARKS %s < %t.ll
// RUN: %same_lists %t.x86_64.o %t.aarch64.o
// RUN: llvm-readelf-19 -SW %t.x86_64.o | FileCheck --check-prefix=SECTIONS %s
// RUN: llvm-readelf-19 -SW %t.aarch64.o | FileCheck --check-prefix=SECTIONS %s
// Lines of calls with a landing pad are marked, others are not.
// MARKS: @__transproc_values = {{.*}}{{[0-9a-f]+}}!\09i64{{.*}}\00{{[0-9a-f]+}}\09i64
struct First { int number; };
struct Second { int number; };
struct Cleanup { long kept; ~Cleanup(); };
long outside(long);
__attribute__((noinline)) inline long shared(long v) { return outside(v) + v; }
// CHECK-DAG: @__transproc_function._Z6sharedl = internal constant {{.*}}section ".transproc.functions", comdat($_Z6sharedl)
// CHECK-DAG: @_Z6sharedl.own = internal alias i64 (i64), ptr @_Z6sharedl
// CHECK-LABEL: define{{.*}} i64 @_Z8functionll(
// CHECK: invoke token (i64, i32, ptr, i32, i32, ...) @llvm.experimental.gc.statepoint.p0
// CHECK: landingpad { ptr, i32 }
// CHECK: call i32 @llvm.eh.typeid.for.p0(ptr @_ZTI5First)
// CHECK-LABEL: define internal void @_Z8functionll.resume(
// CHECK: switch i64
// CHECK: invoke void @__transproc_raise(ptr %record)
// CHECK: trunc i64 {{.*}} to i1
// LISTS-NOT: invoke i64 @_Z7outsidel
long function(long a, long b) {
  Cleanup cleanup{b};
  try {
    return shared(a) + shared(b) + outside(a) * b;
  } catch (First &first) {
    return first.number + a;
  } catch (Second &second) {
    return second.number + b;
  }
}
// SECTIONS-DAG: .gcc_except_table._Z8functionll
// SECTIONS-DAG: .text.resume._Z6sharedl PROGBITS {{.*}} AXG
// SECTIONS-DAG: .llvm_stackmaps
// SECTIONS-DAG: .text.startup._GLOBAL__sub_I_invokes.cpp
// SECTIONS-NOT: DW.ref
// SECTIONS-NOT: {{ \.data }}PROGBITS {{[0-9a-f]+ [0-9a-f]+}} {{0*[1-9a-f]}}

// Static initialisers share no section.
struct Made { long v; Made(long v); };
Made made(outside(1)), other(outside(2));

// Where nothing happens between the call and the join behind the handler, the invoke still has a destination of its own for its result: else
// LLVM finds that the result is used where it is not computed.
long joined(long n) {
  long result = n;
  for (long i = 0; i < 2; i++) {
    try {
      if (n != i)
        result = outside(result);
    } catch (First &) {
      result = 1;
    }
  }
  return result;
}
