// Where very many paths come together outside loops, a resume entry brings what differs by way of memory: the back ends take the square of
// the number of a phi's operands.
// RUN: %front_end -std=c++20 -fexceptions -fcxx-exceptions -O2 %S/../../tests/programs/cxx/crowd.cpp -o %t.bc
// RUN: %codegen %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o -o-ir %t.ll
// RUN: FileCheck %s < %t.ll
// RUN: %same_lists %t.x86_64.o %t.aarch64.o

// CHECK-LABEL: define internal {{.*}}crowd{{.*}}(
// CHECK-NOT: .reg2mem
// CHECK-LABEL: define internal void @{{.*}}crowd{{.*}}.resume(
// CHECK: [[EXCEPTION:%.*reg2mem]] = alloca { ptr, i32 }
// CHECK: store { ptr, i32 } {{%.*}}, ptr [[EXCEPTION]]
// CHECK: [[RELOADED:%.*]] = load { ptr, i32 }, ptr [[EXCEPTION]]
// CHECK: resume { ptr, i32 }
