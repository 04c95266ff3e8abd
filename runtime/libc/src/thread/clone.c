/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdarg.h>
#include "pthread_impl.h"

hidden int __transproc_clone(int (*)(void *), void *, int, void *, pid_t *, void *, pid_t *);

/* `tls` is the thread pointer of aarch64, as TP_ADJ makes it. Callers without the flags for them do not pass the last three. */
int __clone(int (*func)(void *), void *stack, int flags, void *arg, ...)
{
	va_list rest;
	va_start(rest, arg);
	pid_t *ptid = va_arg(rest, pid_t *);
	void *tls = va_arg(rest, void *);
	pid_t *ctid = va_arg(rest, pid_t *);
	va_end(rest);
	return __transproc_clone(func, stack, flags, arg, ptid, tls, ctid);
}
