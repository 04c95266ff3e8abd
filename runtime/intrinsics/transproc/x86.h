/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Intrinsics of x86 that SIMDe leaves out, in portable C. */
#pragma GCC system_header
#pragma once
#include <mm_malloc.h>
#include <time.h>

#define _TRANSPROC_INLINE static __inline__ __attribute__((__always_inline__, __nodebug__, __unused__))

/* The time-stamp counter: nanoseconds, which go on across a migration. */
_TRANSPROC_INLINE unsigned long long __rdtsc(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}
_TRANSPROC_INLINE unsigned long long __rdtscp(unsigned *processor)
{
	*processor = 0;
	return __rdtsc();
}
#define _rdtsc() __rdtsc()

/* POPCNT, LZCNT, BMI1 */
_TRANSPROC_INLINE int _mm_popcnt_u32(unsigned x) { return __builtin_popcount(x); }
_TRANSPROC_INLINE long long _mm_popcnt_u64(unsigned long long x) { return __builtin_popcountll(x); }
_TRANSPROC_INLINE unsigned _lzcnt_u32(unsigned x) { return x ? __builtin_clz(x) : 32; }
_TRANSPROC_INLINE unsigned long long _lzcnt_u64(unsigned long long x) { return x ? __builtin_clzll(x) : 64; }
_TRANSPROC_INLINE unsigned _tzcnt_u32(unsigned x) { return x ? __builtin_ctz(x) : 32; }
_TRANSPROC_INLINE unsigned long long _tzcnt_u64(unsigned long long x) { return x ? __builtin_ctzll(x) : 64; }
#define _popcnt32(x) _mm_popcnt_u32(x)
#define _popcnt64(x) ((int)_mm_popcnt_u64(x))
#define __lzcnt32(x) _lzcnt_u32(x)
#define __lzcnt64(x) _lzcnt_u64(x)
#define __tzcnt_u32(x) _tzcnt_u32(x)
#define __tzcnt_u64(x) _tzcnt_u64(x)
#define __popcntd(x) _mm_popcnt_u32(x)
#define __popcntq(x) _mm_popcnt_u64(x)

_TRANSPROC_INLINE unsigned _andn_u32(unsigned x, unsigned y) { return ~x & y; }
_TRANSPROC_INLINE unsigned long long _andn_u64(unsigned long long x, unsigned long long y) { return ~x & y; }
_TRANSPROC_INLINE unsigned _blsi_u32(unsigned x) { return x & -x; }
_TRANSPROC_INLINE unsigned long long _blsi_u64(unsigned long long x) { return x & -x; }
_TRANSPROC_INLINE unsigned _blsr_u32(unsigned x) { return x & (x - 1); }
_TRANSPROC_INLINE unsigned long long _blsr_u64(unsigned long long x) { return x & (x - 1); }
_TRANSPROC_INLINE unsigned _blsmsk_u32(unsigned x) { return x ^ (x - 1); }
_TRANSPROC_INLINE unsigned long long _blsmsk_u64(unsigned long long x) { return x ^ (x - 1); }
_TRANSPROC_INLINE unsigned long long _bextr_u64(unsigned long long x, unsigned start, unsigned length)
{
	x = (start & 255) > 63 ? 0 : x >> (start & 255);
	return (length & 255) > 63 ? x : x & ((1ULL << (length & 255)) - 1);
}
_TRANSPROC_INLINE unsigned _bextr_u32(unsigned x, unsigned start, unsigned length)
{
	return (unsigned)_bextr_u64(x, start, length);
}

/* BMI2 */
_TRANSPROC_INLINE unsigned _bzhi_u32(unsigned x, unsigned n) { return (n & 255) > 31 ? x : x & ((1U << (n & 255)) - 1); }
_TRANSPROC_INLINE unsigned long long _bzhi_u64(unsigned long long x, unsigned n)
{
	return (n & 255) > 63 ? x : x & ((1ULL << (n & 255)) - 1);
}
_TRANSPROC_INLINE unsigned long long _mulx_u64(unsigned long long x, unsigned long long y, unsigned long long *high)
{
	unsigned __int128 product = (unsigned __int128)x * y;
	*high = (unsigned long long)(product >> 64);
	return (unsigned long long)product;
}
_TRANSPROC_INLINE unsigned long long _pdep_u64(unsigned long long x, unsigned long long mask)
{
	unsigned long long result = 0;
	for (; mask; mask &= mask - 1, x >>= 1)
		if (x & 1)
			result |= mask & -mask;
	return result;
}
_TRANSPROC_INLINE unsigned long long _pext_u64(unsigned long long x, unsigned long long mask)
{
	unsigned long long result = 0;
	for (unsigned long long bit = 1; mask; mask &= mask - 1, bit <<= 1)
		if (x & mask & -mask)
			result |= bit;
	return result;
}
_TRANSPROC_INLINE unsigned _pdep_u32(unsigned x, unsigned mask) { return (unsigned)_pdep_u64(x, mask); }
_TRANSPROC_INLINE unsigned _pext_u32(unsigned x, unsigned mask) { return (unsigned)_pext_u64(x, mask); }

/* ADX, and what is older than all of these */
_TRANSPROC_INLINE unsigned char _addcarry_u64(unsigned char carry, unsigned long long x, unsigned long long y, unsigned long long *sum)
{
	unsigned __int128 wide = (unsigned __int128)x + y + !!carry;
	*sum = (unsigned long long)wide;
	return (unsigned char)(wide >> 64);
}
_TRANSPROC_INLINE unsigned char _subborrow_u64(unsigned char borrow, unsigned long long x, unsigned long long y, unsigned long long *difference)
{
	unsigned __int128 wide = (unsigned __int128)x - y - !!borrow;
	*difference = (unsigned long long)wide;
	return (unsigned char)(wide >> 64) & 1;
}
_TRANSPROC_INLINE unsigned char _addcarry_u32(unsigned char carry, unsigned x, unsigned y, unsigned *sum)
{
	unsigned long long wide = (unsigned long long)x + y + !!carry;
	*sum = (unsigned)wide;
	return (unsigned char)(wide >> 32);
}
#define _addcarryx_u32(c, x, y, s) _addcarry_u32(c, x, y, s)
#define _addcarryx_u64(c, x, y, s) _addcarry_u64(c, x, y, s)
#define _bswap(x) ((int)__builtin_bswap32((unsigned)(x)))
#define _bswap64(x) ((long long)__builtin_bswap64((unsigned long long)(x)))
#define __bswapd(x) _bswap(x)
#define __bswapq(x) _bswap64(x)
#define _rotl(x, n) __builtin_rotateleft32((unsigned)(x), (unsigned)(n))
#define _rotr(x, n) __builtin_rotateright32((unsigned)(x), (unsigned)(n))
#define __rold(x, n) _rotl(x, n)
#define __rord(x, n) _rotr(x, n)
#define __rolq(x, n) __builtin_rotateleft64((unsigned long long)(x), (unsigned long long)(n))
#define __rorq(x, n) __builtin_rotateright64((unsigned long long)(x), (unsigned long long)(n))
#define _bit_scan_forward(x) __builtin_ctz((unsigned)(x))
#define _bit_scan_reverse(x) (31 - __builtin_clz((unsigned)(x)))
#define __bsfd(x) _bit_scan_forward(x)
#define __bsrd(x) _bit_scan_reverse(x)
#define __bsfq(x) __builtin_ctzll((unsigned long long)(x))
#define __bsrq(x) (63 - __builtin_clzll((unsigned long long)(x)))

/* The state of the processor that programs ask for before they use AVX: nothing of it is enabled. */
#define _xgetbv(index) ((void)(index), 0ULL)
