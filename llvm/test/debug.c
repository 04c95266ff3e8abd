// Debug information survives in both objects, call-frame information lies in .debug_frame, and in .eh_frame for exceptions, and display lines have names.
// RUN: %front_end -O2 -g %s -o %t.bc
// RUN: %codegen --debug %t.bc -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o -o-ir %t.ll
// RUN: llvm-dwarfdump-19 --verify %t.x86_64.o
// RUN: llvm-dwarfdump-19 --verify %t.aarch64.o
// RUN: llvm-dwarfdump-19 --debug-info %t.x86_64.o | FileCheck --check-prefix=INFO %s
// RUN: llvm-dwarfdump-19 --debug-info %t.aarch64.o | FileCheck --check-prefix=INFO %s
// RUN: llvm-readelf-19 -SW %t.x86_64.o | FileCheck --check-prefix=FRAME %s
// RUN: llvm-readelf-19 -SW %t.aarch64.o | FileCheck --check-prefix=FRAME %s
// RUN: FileCheck %s < %t.ll
// INFO: DW_AT_name ("weight")
// FRAME-DAG: .eh_frame
// FRAME-DAG: .debug_frame
// CHECK: @__transproc_values = {{.*}}\09i64 weight
long outside(long);
long function(long seed) {
  long weight = outside(seed);
  return outside(weight) * weight;
}
