// Each datum has a section of its own, of equal name, size and alignment in both objects.
// RUN: %front_end -O2 %s -o %t.bc
// RUN: %codegen %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
// RUN: llvm-readelf-19 -SW %t.x86_64.o | grep -E '\.(tp|tdata|tbss)|\.text\.|transproc' | grep -v rela | FileCheck %s
// RUN: llvm-readelf-19 -SW %t.aarch64.o | grep -E '\.(tp|tdata|tbss)|\.text\.|transproc' | grep -v rela | FileCheck %s
void outside(void *);
const int table[8] = {1, 2, 3};
int *const pointer = (int[]){1};
int data[5] = {1};
static int zero[100];
_Thread_local int counter = 3;
_Thread_local long local_zero[2];
__attribute__((section("mine"))) int chosen = 4;
void function(void) {
  outside(zero);
  outside("text");
}
void loop(int n) {
  for (int i = 0; i < n; i++)
    outside(&data[i]);
}
__attribute__((cold)) void cold_loop(int n) {
  for (int i = 0; i < n; i++)
    outside(&data[i]);
}
// CHECK-DAG: .text.function PROGBITS {{.*}} AX 0 0 16
// CHECK-DAG: .text.resume.function PROGBITS {{.*}} AX 0 0 16
// CHECK-DAG: .text.loop PROGBITS {{.*}} AX 0 0 32
// CHECK-DAG: .text.resume.loop PROGBITS {{.*}} AX 0 0 16
// CHECK-DAG: .text.unlikely.cold_loop PROGBITS {{.*}} AX 0 0 16
// CHECK-DAG: .tp.ro.table PROGBITS {{[0-9a-f]+ [0-9a-f]+}} 000020 00 A 0 0 16
// CHECK-DAG: .tp.relro.pointer PROGBITS {{[0-9a-f]+ [0-9a-f]+}} 000008
// CHECK-DAG: .tp.data.data PROGBITS {{[0-9a-f]+ [0-9a-f]+}} 000014 00 WA 0 0 16
// CHECK-DAG: .tp.bss.zero.{{[0-9]}} NOBITS {{[0-9a-f]+ [0-9a-f]+}} 000190 00 WA 0 0 16
// CHECK-DAG: .tdata.counter PROGBITS {{[0-9a-f]+ [0-9a-f]+}} 000004 00 WAT 0 0 4
// CHECK-DAG: .tbss.local_zero NOBITS {{[0-9a-f]+ [0-9a-f]+}} 000010 00 WAT 0 0 16
// CHECK-DAG: .tp.ro..str.{{[0-9]}} PROGBITS {{[0-9a-f]+ [0-9a-f]+}} 000005 00 A 0 0 1
// CHECK-DAG: .transproc.functions
// CHECK-DAG: .transproc.values
