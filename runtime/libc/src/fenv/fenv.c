/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <fenv.h>
#include <features.h>

/* Exception flags in bits 0-4, rounding mode in bits 8-9, on every ISA. */
hidden unsigned __transproc_fp_read(void);
hidden void __transproc_fp_write(unsigned);

int feclearexcept(int mask)
{
	__transproc_fp_write(__transproc_fp_read() & ~(mask & FE_ALL_EXCEPT));
	return 0;
}

int feraiseexcept(int mask)
{
	__transproc_fp_write(__transproc_fp_read() | (mask & FE_ALL_EXCEPT));
	return 0;
}

int fetestexcept(int mask)
{
	return __transproc_fp_read() & mask & FE_ALL_EXCEPT;
}

int fegetround(void)
{
	return __transproc_fp_read() & FE_TOWARDZERO;
}

hidden int __fesetround(int mode)
{
	__transproc_fp_write((__transproc_fp_read() & ~FE_TOWARDZERO) | mode);
	return 0;
}

int fegetenv(fenv_t *env)
{
	env->__state = __transproc_fp_read();
	env->__pad = 0;
	return 0;
}

int fesetenv(const fenv_t *env)
{
	__transproc_fp_write(env == FE_DFL_ENV ? FE_TONEAREST : env->__state);
	return 0;
}
