/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What SIMDe 0.8.2 computes otherwise than the processor, computed as the manual says (Intel, Software Developer's Manual, volume 2).
 * Included behind each of its headers: every part waits for the one that it belongs to. */
#pragma GCC system_header

#ifndef _TRANSPROC_INLINE
#define _TRANSPROC_INLINE static __inline__ __attribute__((__always_inline__, __nodebug__, __unused__))
#endif

/* Comparisons whose result is inverted are true for numbers that are none. */
#define _TRANSPROC_NOT(type, field, name)                                    \
	_TRANSPROC_INLINE type __transproc_cmpn##name(type a, type b)            \
	{                                                                        \
		type##_private r = type##_to_private(simde_mm_cmp##name(a, b));      \
		for (unsigned i = 0; i < sizeof r / sizeof r.field[0]; i++)          \
			r.field[i] = ~r.field[i];                                        \
		return type##_from_private(r);                                       \
	}
#define _TRANSPROC_NOT_LOWEST(type, field, name)                             \
	_TRANSPROC_INLINE type __transproc_cmpn##name(type a, type b)            \
	{                                                                        \
		type##_private r = type##_to_private(simde_mm_cmp##name(a, b));      \
		r.field[0] = ~r.field[0];                                            \
		return type##_from_private(r);                                       \
	}

/* A shift by more bits than there are leaves nothing, or the sign. */
#define _TRANSPROC_SHIFT(type, prefix, name, field, bits, otherwise)                        \
	_TRANSPROC_INLINE type __transproc##prefix##_##name(type a, simde__m128i count)         \
	{                                                                                       \
		type##_private r = type##_to_private(a);                                            \
		simde__m128i_private c = simde__m128i_to_private(count);                            \
		for (unsigned i = 0; i < sizeof r / sizeof r.field[0]; i++)                         \
			r.field[i] = c.u64[0] < bits ? r.field[i] >> c.u64[0] : (otherwise);            \
		return type##_from_private(r);                                                      \
	}

#if defined(SIMDE_X86_SSE_H) && !defined(_TRANSPROC_SSE)
#define _TRANSPROC_SSE
_TRANSPROC_NOT(simde__m128, i32, lt_ps)
_TRANSPROC_NOT(simde__m128, i32, le_ps)
_TRANSPROC_NOT(simde__m128, i32, gt_ps)
_TRANSPROC_NOT(simde__m128, i32, ge_ps)
_TRANSPROC_NOT_LOWEST(simde__m128, i32, lt_ss)
_TRANSPROC_NOT_LOWEST(simde__m128, i32, le_ss)
_TRANSPROC_NOT_LOWEST(simde__m128, i32, gt_ss)
_TRANSPROC_NOT_LOWEST(simde__m128, i32, ge_ss)
#undef _mm_cmpnlt_ps
#undef _mm_cmpnle_ps
#undef _mm_cmpngt_ps
#undef _mm_cmpnge_ps
#undef _mm_cmpnlt_ss
#undef _mm_cmpnle_ss
#undef _mm_cmpngt_ss
#undef _mm_cmpnge_ss
#define _mm_cmpnlt_ps(a, b) __transproc_cmpnlt_ps(a, b)
#define _mm_cmpnle_ps(a, b) __transproc_cmpnle_ps(a, b)
#define _mm_cmpngt_ps(a, b) __transproc_cmpngt_ps(a, b)
#define _mm_cmpnge_ps(a, b) __transproc_cmpnge_ps(a, b)
#define _mm_cmpnlt_ss(a, b) __transproc_cmpnlt_ss(a, b)
#define _mm_cmpnle_ss(a, b) __transproc_cmpnle_ss(a, b)
#define _mm_cmpngt_ss(a, b) __transproc_cmpngt_ss(a, b)
#define _mm_cmpnge_ss(a, b) __transproc_cmpnge_ss(a, b)
#undef _mm_cvtss_si64
#define _mm_cvtss_si64(a) __transproc_to_int64_t(__builtin_nearbyintf(simde_mm_cvtss_f32(a)))
#endif

#if defined(SIMDE_X86_SSE2_H) && !defined(_TRANSPROC_SSE2)
#define _TRANSPROC_SSE2
_TRANSPROC_NOT(simde__m128d, i64, lt_pd)
_TRANSPROC_NOT(simde__m128d, i64, le_pd)
_TRANSPROC_NOT(simde__m128d, i64, gt_pd)
_TRANSPROC_NOT(simde__m128d, i64, ge_pd)
_TRANSPROC_NOT_LOWEST(simde__m128d, i64, lt_sd)
_TRANSPROC_NOT_LOWEST(simde__m128d, i64, le_sd)
_TRANSPROC_NOT_LOWEST(simde__m128d, i64, gt_sd)
_TRANSPROC_NOT_LOWEST(simde__m128d, i64, ge_sd)
#undef _mm_cmpnlt_pd
#undef _mm_cmpnle_pd
#undef _mm_cmpngt_pd
#undef _mm_cmpnge_pd
#undef _mm_cmpnlt_sd
#undef _mm_cmpnle_sd
#undef _mm_cmpngt_sd
#undef _mm_cmpnge_sd
#define _mm_cmpnlt_pd(a, b) __transproc_cmpnlt_pd(a, b)
#define _mm_cmpnle_pd(a, b) __transproc_cmpnle_pd(a, b)
#define _mm_cmpngt_pd(a, b) __transproc_cmpngt_pd(a, b)
#define _mm_cmpnge_pd(a, b) __transproc_cmpnge_pd(a, b)
#define _mm_cmpnlt_sd(a, b) __transproc_cmpnlt_sd(a, b)
#define _mm_cmpnle_sd(a, b) __transproc_cmpnle_sd(a, b)
#define _mm_cmpngt_sd(a, b) __transproc_cmpngt_sd(a, b)
#define _mm_cmpnge_sd(a, b) __transproc_cmpnge_sd(a, b)

_TRANSPROC_INLINE simde__m128i __transproc_cvtpd_epi32(simde__m128d a)
{
	simde__m128d_private x = simde__m128d_to_private(a);
	return simde_mm_set_epi32(0, 0, __transproc_to_int32_t(__builtin_nearbyint(x.f64[1])), __transproc_to_int32_t(__builtin_nearbyint(x.f64[0])));
}
_TRANSPROC_INLINE simde__m128i __transproc_cvttpd_epi32(simde__m128d a)
{
	simde__m128d_private x = simde__m128d_to_private(a);
	return simde_mm_set_epi32(0, 0, __transproc_to_int32_t(__builtin_trunc(x.f64[1])), __transproc_to_int32_t(__builtin_trunc(x.f64[0])));
}
#undef _mm_cvtpd_epi32
#undef _mm_cvttpd_epi32
#undef _mm_cvtsd_si32
#undef _mm_cvtsd_si64
#undef _mm_cvtsd_si64x
#undef _mm_cvttsd_si32
#define _mm_cvtpd_epi32(a) __transproc_cvtpd_epi32(a)
#define _mm_cvttpd_epi32(a) __transproc_cvttpd_epi32(a)
#define _mm_cvtsd_si32(a) __transproc_to_int32_t(__builtin_nearbyint(simde_mm_cvtsd_f64(a)))
#define _mm_cvtsd_si64(a) __transproc_to_int64_t(__builtin_nearbyint(simde_mm_cvtsd_f64(a)))
#define _mm_cvtsd_si64x(a) _mm_cvtsd_si64(a)
#define _mm_cvttsd_si32(a) __transproc_to_int32_t(__builtin_trunc(simde_mm_cvtsd_f64(a)))

_TRANSPROC_SHIFT(simde__m128i, , srl_epi16, u16, 16, 0)
_TRANSPROC_SHIFT(simde__m128i, , srl_epi32, u32, 32, 0)
_TRANSPROC_SHIFT(simde__m128i, , srl_epi64, u64, 64, 0)
_TRANSPROC_SHIFT(simde__m128i, , sra_epi16, i16, 16, r.i16[i] >> 15)
#undef _mm_srl_epi16
#undef _mm_srl_epi32
#undef _mm_srl_epi64
#undef _mm_sra_epi16
#define _mm_srl_epi16(a, count) __transproc_srl_epi16(a, count)
#define _mm_srl_epi32(a, count) __transproc_srl_epi32(a, count)
#define _mm_srl_epi64(a, count) __transproc_srl_epi64(a, count)
#define _mm_sra_epi16(a, count) __transproc_sra_epi16(a, count)
#endif

#if defined(SIMDE_X86_SSE4_1_H) && !defined(_TRANSPROC_SSE4_1)
#define _TRANSPROC_SSE4_1
#undef _mm_testnzc_si128
#undef _mm_test_mix_ones_zeros
#define _mm_testnzc_si128(a, b) __transproc_testnzc_si128(a, b)
#define _mm_test_mix_ones_zeros(a, mask) __transproc_testnzc_si128(a, mask)
_TRANSPROC_INLINE int __transproc_testnzc_si128(simde__m128i a, simde__m128i b)
{
	return !simde_mm_testz_si128(a, b) && !simde_mm_testc_si128(a, b);
}
#undef _mm_dp_ps
#define _mm_dp_ps(a, b, mask) __transproc_dp_ps(a, b, mask)
_TRANSPROC_INLINE simde__m128 __transproc_dp_ps(simde__m128 a, simde__m128 b, int mask)
{
	simde__m128_private x = simde__m128_to_private(a), y = simde__m128_to_private(b), r;
	float p[4];
	for (int i = 0; i < 4; i++)
		p[i] = mask & 16 << i ? x.f32[i] * y.f32[i] : 0;
	for (int i = 0; i < 4; i++)
		r.f32[i] = mask & 1 << i ? (p[0] + p[1]) + (p[2] + p[3]) : 0;
	return simde__m128_from_private(r);
}
#undef _mm_dp_pd
#define _mm_dp_pd(a, b, mask) __transproc_dp_pd(a, b, mask)
_TRANSPROC_INLINE simde__m128d __transproc_dp_pd(simde__m128d a, simde__m128d b, int mask)
{
	simde__m128d_private x = simde__m128d_to_private(a), y = simde__m128d_to_private(b);
	double sum = (mask & 16 ? x.f64[0] * y.f64[0] : 0) + (mask & 32 ? x.f64[1] * y.f64[1] : 0);
	return simde_mm_set_pd(mask & 2 ? sum : 0, mask & 1 ? sum : 0);
}
#endif

#if defined(SIMDE_X86_AVX_H) && !defined(_TRANSPROC_AVX)
#define _TRANSPROC_AVX
#undef _mm256_testnzc_si256
#define _mm256_testnzc_si256(a, b) __transproc_testnzc_si256(a, b)
_TRANSPROC_INLINE int __transproc_testnzc_si256(simde__m256i a, simde__m256i b)
{
	return !simde_mm256_testz_si256(a, b) && !simde_mm256_testc_si256(a, b);
}
#undef _mm_cmp_ss
#undef _mm_cmp_sd
#define _mm_cmp_ss(a, b, how) simde_mm_move_ss(a, simde_mm_cmp_ps(a, b, how))
#define _mm_cmp_sd(a, b, how) simde_mm_move_sd(a, simde_mm_cmp_pd(a, b, how))
#endif

#if defined(SIMDE_X86_AVX2_H) && !defined(_TRANSPROC_AVX2)
#define _TRANSPROC_AVX2
_TRANSPROC_SHIFT(simde__m256i, 256, srl_epi16, u16, 16, 0)
_TRANSPROC_SHIFT(simde__m256i, 256, srl_epi32, u32, 32, 0)
_TRANSPROC_SHIFT(simde__m256i, 256, srl_epi64, u64, 64, 0)
#undef _mm256_srl_epi16
#undef _mm256_srl_epi32
#undef _mm256_srl_epi64
#undef _mm256_extract_epi8
#undef _mm256_extract_epi16
#define _mm256_extract_epi8(a, i) ((int)(unsigned char)simde_mm256_extract_epi8(a, i))
#define _mm256_extract_epi16(a, i) ((int)(unsigned short)simde_mm256_extract_epi16(a, i))
#define _mm256_srl_epi16(a, count) __transproc256_srl_epi16(a, count)
#define _mm256_srl_epi32(a, count) __transproc256_srl_epi32(a, count)
#define _mm256_srl_epi64(a, count) __transproc256_srl_epi64(a, count)
#endif

/* Fused: rounded once. */
#if defined(SIMDE_X86_FMA_H) && !defined(_TRANSPROC_FMA)
#define _TRANSPROC_FMA
#define _TRANSPROC_FUSED(type, name, field, count, fma, sign, even, odd)                                                 \
	_TRANSPROC_INLINE type __transproc_##name(type a, type b, type c)                                                    \
	{                                                                                                                    \
		type##_private r = type##_to_private(a), y = type##_to_private(b), z = type##_to_private(c);                     \
		for (unsigned i = 0; i < count; i++)                                                                             \
			r.field[i] = fma(sign r.field[i], y.field[i], i % 2 ? odd z.field[i] : even z.field[i]);                     \
		return type##_from_private(r);                                                                                   \
	}
#define _TRANSPROC_EACH(name, sign, even, odd)                                                                           \
	_TRANSPROC_FUSED(simde__m128, name##_ps, f32, 4, __builtin_fmaf, sign, even, odd)                                    \
	_TRANSPROC_FUSED(simde__m128d, name##_pd, f64, 2, __builtin_fma, sign, even, odd)                                    \
	_TRANSPROC_FUSED(simde__m256, 256_##name##_ps, f32, 8, __builtin_fmaf, sign, even, odd)                              \
	_TRANSPROC_FUSED(simde__m256d, 256_##name##_pd, f64, 4, __builtin_fma, sign, even, odd)
#define _TRANSPROC_EACH_LOWEST(name, sign, add)                                                                          \
	_TRANSPROC_FUSED(simde__m128, name##_ss, f32, 1, __builtin_fmaf, sign, add, add)                                     \
	_TRANSPROC_FUSED(simde__m128d, name##_sd, f64, 1, __builtin_fma, sign, add, add)
_TRANSPROC_EACH(fmadd, +, +, +)
_TRANSPROC_EACH(fmsub, +, -, -)
_TRANSPROC_EACH(fnmadd, -, +, +)
_TRANSPROC_EACH(fnmsub, -, -, -)
_TRANSPROC_EACH(fmaddsub, +, -, +)
_TRANSPROC_EACH(fmsubadd, +, +, -)
_TRANSPROC_EACH_LOWEST(fmadd, +, +)
_TRANSPROC_EACH_LOWEST(fmsub, +, -)
_TRANSPROC_EACH_LOWEST(fnmadd, -, +)
_TRANSPROC_EACH_LOWEST(fnmsub, -, -)
#undef _mm_fmadd_ps
#define _mm_fmadd_ps(a, b, c) __transproc_fmadd_ps(a, b, c)
#undef _mm_fmadd_pd
#define _mm_fmadd_pd(a, b, c) __transproc_fmadd_pd(a, b, c)
#undef _mm_fmadd_ss
#define _mm_fmadd_ss(a, b, c) __transproc_fmadd_ss(a, b, c)
#undef _mm_fmadd_sd
#define _mm_fmadd_sd(a, b, c) __transproc_fmadd_sd(a, b, c)
#undef _mm256_fmadd_ps
#define _mm256_fmadd_ps(a, b, c) __transproc_256_fmadd_ps(a, b, c)
#undef _mm256_fmadd_pd
#define _mm256_fmadd_pd(a, b, c) __transproc_256_fmadd_pd(a, b, c)
#undef _mm_fmsub_ps
#define _mm_fmsub_ps(a, b, c) __transproc_fmsub_ps(a, b, c)
#undef _mm_fmsub_pd
#define _mm_fmsub_pd(a, b, c) __transproc_fmsub_pd(a, b, c)
#undef _mm_fmsub_ss
#define _mm_fmsub_ss(a, b, c) __transproc_fmsub_ss(a, b, c)
#undef _mm_fmsub_sd
#define _mm_fmsub_sd(a, b, c) __transproc_fmsub_sd(a, b, c)
#undef _mm256_fmsub_ps
#define _mm256_fmsub_ps(a, b, c) __transproc_256_fmsub_ps(a, b, c)
#undef _mm256_fmsub_pd
#define _mm256_fmsub_pd(a, b, c) __transproc_256_fmsub_pd(a, b, c)
#undef _mm_fnmadd_ps
#define _mm_fnmadd_ps(a, b, c) __transproc_fnmadd_ps(a, b, c)
#undef _mm_fnmadd_pd
#define _mm_fnmadd_pd(a, b, c) __transproc_fnmadd_pd(a, b, c)
#undef _mm_fnmadd_ss
#define _mm_fnmadd_ss(a, b, c) __transproc_fnmadd_ss(a, b, c)
#undef _mm_fnmadd_sd
#define _mm_fnmadd_sd(a, b, c) __transproc_fnmadd_sd(a, b, c)
#undef _mm256_fnmadd_ps
#define _mm256_fnmadd_ps(a, b, c) __transproc_256_fnmadd_ps(a, b, c)
#undef _mm256_fnmadd_pd
#define _mm256_fnmadd_pd(a, b, c) __transproc_256_fnmadd_pd(a, b, c)
#undef _mm_fnmsub_ps
#define _mm_fnmsub_ps(a, b, c) __transproc_fnmsub_ps(a, b, c)
#undef _mm_fnmsub_pd
#define _mm_fnmsub_pd(a, b, c) __transproc_fnmsub_pd(a, b, c)
#undef _mm_fnmsub_ss
#define _mm_fnmsub_ss(a, b, c) __transproc_fnmsub_ss(a, b, c)
#undef _mm_fnmsub_sd
#define _mm_fnmsub_sd(a, b, c) __transproc_fnmsub_sd(a, b, c)
#undef _mm256_fnmsub_ps
#define _mm256_fnmsub_ps(a, b, c) __transproc_256_fnmsub_ps(a, b, c)
#undef _mm256_fnmsub_pd
#define _mm256_fnmsub_pd(a, b, c) __transproc_256_fnmsub_pd(a, b, c)
#undef _mm_fmaddsub_ps
#define _mm_fmaddsub_ps(a, b, c) __transproc_fmaddsub_ps(a, b, c)
#undef _mm_fmaddsub_pd
#define _mm_fmaddsub_pd(a, b, c) __transproc_fmaddsub_pd(a, b, c)
#undef _mm256_fmaddsub_ps
#define _mm256_fmaddsub_ps(a, b, c) __transproc_256_fmaddsub_ps(a, b, c)
#undef _mm256_fmaddsub_pd
#define _mm256_fmaddsub_pd(a, b, c) __transproc_256_fmaddsub_pd(a, b, c)
#undef _mm_fmsubadd_ps
#define _mm_fmsubadd_ps(a, b, c) __transproc_fmsubadd_ps(a, b, c)
#undef _mm_fmsubadd_pd
#define _mm_fmsubadd_pd(a, b, c) __transproc_fmsubadd_pd(a, b, c)
#undef _mm256_fmsubadd_ps
#define _mm256_fmsubadd_ps(a, b, c) __transproc_256_fmsubadd_ps(a, b, c)
#undef _mm256_fmsubadd_pd
#define _mm256_fmsubadd_pd(a, b, c) __transproc_256_fmsubadd_pd(a, b, c)
#endif
