/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Neutral values; __transproc_fp_read and __transproc_fp_write convert them to the ISA's registers. */
#define FE_INVALID    1
#define FE_DIVBYZERO  2
#define FE_OVERFLOW   4
#define FE_UNDERFLOW  8
#define FE_INEXACT    16
#define FE_ALL_EXCEPT 31

#define FE_TONEAREST  0
#define FE_UPWARD     0x100
#define FE_DOWNWARD   0x200
#define FE_TOWARDZERO 0x300

typedef unsigned int fexcept_t;

typedef struct {
	unsigned int __state; /* flags and rounding mode, or'ed */
	unsigned int __pad;
} fenv_t;

#define FE_DFL_ENV ((const fenv_t *) -1)
