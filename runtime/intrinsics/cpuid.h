/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the processor can do: the portable answer is that it is no x86. */
#pragma GCC system_header
#pragma once

static __inline__ int __get_cpuid_max(unsigned leaf, unsigned *signature)
{
	(void)leaf;
	if (signature)
		*signature = 0;
	return 0;
}
static __inline__ int __get_cpuid_count(unsigned leaf, unsigned subleaf, unsigned *a, unsigned *b, unsigned *c, unsigned *d)
{
	(void)leaf, (void)subleaf;
	*a = *b = *c = *d = 0;
	return 0;
}
static __inline__ int __get_cpuid(unsigned leaf, unsigned *a, unsigned *b, unsigned *c, unsigned *d)
{
	return __get_cpuid_count(leaf, 0, a, b, c, d);
}
#define __cpuid(leaf, a, b, c, d) ((void)(leaf), (a) = (b) = (c) = (d) = 0)
#define __cpuid_count(leaf, subleaf, a, b, c, d) ((void)(leaf), (void)(subleaf), (a) = (b) = (c) = (d) = 0)

#define bit_SSE3 0x00000001
#define bit_PCLMUL 0x00000002
#define bit_SSSE3 0x00000200
#define bit_FMA 0x00001000
#define bit_CMPXCHG16B 0x00002000
#define bit_SSE4_1 0x00080000
#define bit_SSE4_2 0x00100000
#define bit_MOVBE 0x00400000
#define bit_POPCNT 0x00800000
#define bit_AES 0x02000000
#define bit_XSAVE 0x04000000
#define bit_OSXSAVE 0x08000000
#define bit_AVX 0x10000000
#define bit_F16C 0x20000000
#define bit_RDRND 0x40000000
#define bit_MMX 0x00800000
#define bit_SSE 0x02000000
#define bit_SSE2 0x04000000
#define bit_BMI 0x00000008
#define bit_AVX2 0x00000020
#define bit_BMI2 0x00000100
#define bit_AVX512F 0x00010000
#define bit_SHA 0x20000000
#define bit_LZCNT 0x00000020
#define bit_ABM 0x00000020
#define signature_INTEL_ebx 0x756e6547
#define signature_INTEL_edx 0x49656e69
#define signature_INTEL_ecx 0x6c65746e
#define signature_AMD_ebx 0x68747541
#define signature_AMD_edx 0x69746e65
#define signature_AMD_ecx 0x444d4163
