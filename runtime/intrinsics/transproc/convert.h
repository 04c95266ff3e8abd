/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Numbers out of range, and those that are none, become the smallest integer, as on x86, whatever a conversion in C does with them on
 * each ISA. */
#pragma GCC system_header
#pragma once
#include <simde/simde-common.h>

#define _TRANSPROC_CONVERSION(type, limit, otherwise)                                                          \
	static __inline__ __attribute__((__always_inline__, __nodebug__, __unused__)) type __transproc_to_##type(double x) \
	{                                                                                                          \
		return x >= -limit && x < limit ? (type)x : otherwise;                                                 \
	}
_TRANSPROC_CONVERSION(int8_t, 0x1p7, INT8_MIN)
_TRANSPROC_CONVERSION(int16_t, 0x1p15, INT16_MIN)
_TRANSPROC_CONVERSION(int32_t, 0x1p31, INT32_MIN)
_TRANSPROC_CONVERSION(int64_t, 0x1p63, INT64_MIN)
#undef SIMDE_CONVERT_FTOI
#define SIMDE_CONVERT_FTOI(type, x) __transproc_to_##type(x)
