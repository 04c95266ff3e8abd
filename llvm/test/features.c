// All constructs of the stress program, at two levels: both objects have the same lists.
// RUN: %front_end -O2 %S/../../tests/programs/stress/features.c -o %t.bc
// RUN: %codegen -O2 %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
// RUN: %same_lists %t.x86_64.o %t.aarch64.o | FileCheck %s
// RUN: %front_end -O0 %S/../../tests/programs/stress/features.c -o %t.0.bc
// RUN: %codegen -O0 %t.0.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
// RUN: %same_lists %t.x86_64.o %t.aarch64.o | FileCheck %s
// CHECK: sites {{[1-9][0-9][0-9]+}}, values {{[1-9][0-9]+}}, objects {{[1-9][0-9]+}}
