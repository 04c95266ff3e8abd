// Instructions by -march, what is recorded of them, and fused arithmetic, which is decided once.
// RUN: %front_end -O2 %s -o %t.bc
// RUN: %codegen -S %t.bc -o-x86_64 %t.x86_64.s -o-aarch64 %t.aarch64.s
// RUN: FileCheck --check-prefixes=V2 %s < %t.x86_64.s
// RUN: FileCheck --check-prefixes=ARM %s < %t.aarch64.s
// RUN: %codegen -march-x86_64=x86-64-v3 -march-aarch64=armv8.2-a+fp16 --fuse-multiply-add -S %t.bc -o-x86_64 %t.x86_64.s -o-aarch64 %t.aarch64.s
// RUN: FileCheck --check-prefixes=V3 %s < %t.x86_64.s
// RUN: FileCheck --check-prefixes=ARM82 %s < %t.aarch64.s
// RUN: not %codegen -march-aarch64=armv8.77-a %t.bc 2>&1 | FileCheck --check-prefix=UNKNOWN %s
// RUN: %front_end -O2 -ffp-contract=off %s -o %t.bc
// RUN: %codegen -march-x86_64=x86-64-v3 -march-aarch64=armv8.2-a --fuse-multiply-add -S %t.bc -o-x86_64 %t.x86_64.s -o-aarch64 %t.aarch64.s
// RUN: FileCheck --check-prefixes=OFF %s < %t.x86_64.s
// RUN: FileCheck --check-prefixes=OFF %s < %t.aarch64.s
// RUN: %front_end -O2 -ffp-contract=fast %s -o %t.bc
// RUN: %codegen -march-x86_64=x86-64-v3 -march-aarch64=armv8.2-a --fuse-multiply-add -S %t.bc -o-x86_64 %t.x86_64.s -o-aarch64 %t.aarch64.s
// RUN: FileCheck --check-prefixes=FAST %s < %t.x86_64.s
// RUN: FileCheck --check-prefixes=FASTARM %s < %t.aarch64.s
// V2-LABEL: down:
// V2: roundsd
// ARM-LABEL: down:
// ARM: frintm
double down(double x) { return __builtin_floor(x); }
// V2-LABEL: fused:
// V2: mulsd
// V3-LABEL: fused:
// V3: vfmadd
// ARM-LABEL: fused:
// ARM: fmul
// ARM: fadd
// ARM82-LABEL: fused:
// ARM82: fmadd
// OFF-LABEL: fused:
// OFF: mul
// OFF: add
double fused(double x, double y, double z) { return x * y + z; }
// V3-LABEL: separate:
// V3: vmulsd
// FAST-LABEL: separate:
// FAST: vfnmadd
// FASTARM-LABEL: separate:
// FASTARM: fmsub
double separate(double x, double y, double z) {
  double product = x * y;
  return z - product;
}
// V2: .transproc.cpu
// V2-NOT: avx
// V2: pni\n{{.*}}sse4_2\n{{.*}}popcnt
// V3: .transproc.cpu
// V3: avx2\n{{.*}}fma\n
// ARM82: .transproc.cpu
// ARM82: atomics\n{{.*}}fphp\n
// UNKNOWN: error: -march=armv8.77-a: aarch64 has no such processor
