/* Intrinsics of x86, whose code is portable here. */
#include <cpuid.h>
#include <immintrin.h>
#include <nmmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

static void show(const char *name, const void *data, size_t size)
{
	printf("%s", name);
	for (size_t i = 0; i < size; i++)
		printf(" %02x", ((const unsigned char *)data)[i]);
	printf("\n");
}
#define SHOW(name, value) \
	do { \
		__typeof__(value) v_ = value; \
		show(name, &v_, sizeof v_); \
	} while (0)

__attribute__((target("avx2,fma"))) static __m256i twice(const int *p)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)p);
	return _mm256_add_epi32(v, v);
}
__attribute__((target_clones("avx2", "default"))) int cloned(int x) { return x + 1; }

int main(void)
{
	int numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	float reals[8] = {1, -2, 3.5f, 1e10f, -1e10f, 0.25f, 7, 8};
	SHOW("add", twice(numbers));
	SHOW("cvtt", _mm256_cvttps_epi32(_mm256_loadu_ps(reals))); /* out of range: 0x80000000 */
	SHOW("cvt", _mm_cvtps_epi32(_mm_setr_ps(0.5f, 2.5f, -1.5f, 3e9f)));
	SHOW("cvtpd", _mm_cvtpd_epi32(_mm_setr_pd(-0.5, 1e300)));
	printf("scalar %d %d %lld %d\n", _mm_cvtsd_si32(_mm_set_sd(0.5)), _mm_cvtsd_si32(_mm_set_sd(1.5)),
	       (long long)_mm_cvttsd_si64(_mm_set_sd(1e19)), _mm_cvttss_si32(_mm_set_ss(-3e9f)));
	SHOW("shuffle", _mm_shuffle_epi8(_mm_set_epi64x(0x0f0e0d0c0b0a0908, 0x0706050403020100), _mm_set1_epi8(5)));
	SHOW("permute", _mm256_permutevar8x32_epi32(_mm256_loadu_si256((void *)numbers), _mm256_set_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
	SHOW("fma", _mm_fmadd_pd(_mm_set1_pd(3), _mm_set1_pd(4), _mm_set1_pd(5)));
	SHOW("sad", _mm_sad_epu8(_mm_set1_epi8(7), _mm_set1_epi8(2)));
	SHOW("half", _mm_cvtph_ps(_mm_cvtps_ph(_mm_set1_ps(1.5f), 0)));
	SHOW("clmul", _mm_clmulepi64_si128(_mm_set_epi64x(0, 0x87), _mm_set_epi64x(0, 0x13), 0));
	SHOW("aes", _mm_aesenc_si128(_mm_set1_epi8(1), _mm_set1_epi8(2)));
	printf("crc32 %x\n", _mm_crc32_u8(_mm_crc32_u64(0xffffffff, 0x123456789abcdef0), 7));
	printf("bits %d %llu %u %u %llx %llx\n", _mm_popcnt_u32(0xff), (unsigned long long)_mm_popcnt_u64(~0ULL), _tzcnt_u32(0),
	       _lzcnt_u32(1), _pdep_u64(0x1234, 0xf0f0f0f0), _pext_u64(0xabcdef, 0xff00ff));
	unsigned long long wide;
	unsigned char carry = _addcarry_u64(1, ~0ULL, 0, &wide);
	unsigned long long high;
	unsigned long long low = _mulx_u64(~0ULL, 16, &high);
	printf("wide %d %llu %llx %llx %x\n", carry, wide, low, high, _bextr_u32(0xabcd, 4, 8));
	unsigned a = 1, b, c, d;
	__builtin_cpu_init();
	printf("processor %d %d %d %u\n", __builtin_cpu_supports("avx2"), __builtin_cpu_is("intel"), __get_cpuid(1, &a, &b, &c, &d), a);
	printf("clone %d, time goes on: %d\n", cloned(1), __rdtsc() <= __rdtsc());
	void *aligned = _mm_malloc(100, 64);
	printf("aligned %d\n", (int)((uintptr_t)aligned % 64));
	_mm_free(aligned);
	_mm_pause();
	_mm_sfence();
	printf("done\n");
	return 0;
}
