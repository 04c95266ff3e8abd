/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Cancellation. A cancellation point passes the address of the thread's flag to the leaf, which looks at it between the labels
 * __transproc_syscall_check and _trap; the handler of SIGCANCEL, if it interrupts the thread there, makes the call return -EINTR. So a
 * request cannot be lost between the test and the trap, and no code depends on what a program counter means on one ISA. */
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include "pthread_impl.h"
#include "syscall.h"

/* PTHREAD_CANCEL in the assembly */
_Static_assert(offsetof(struct pthread, cancel) == 44, "assembly reads it");

hidden long __transproc_syscall_cancellable(long, long, long, long, long, long, long, volatile int *);
hidden unsigned long __transproc_syscall_cancel(unsigned long pc, unsigned long sp);

long __cancel(void)
{
	pthread_t self = __pthread_self();
	if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync)
		pthread_exit(PTHREAD_CANCELED);
	self->canceldisable = PTHREAD_CANCEL_DISABLE;
	return -ECANCELED;
}

/* An interrupted close() has closed: it is a cancellation point only before the call. */
long __syscall_cp_c(syscall_arg_t n, syscall_arg_t a, syscall_arg_t b, syscall_arg_t c, syscall_arg_t d, syscall_arg_t e,
	syscall_arg_t f)
{
	pthread_t self = __pthread_self();
	int state = self->canceldisable;
	if (state && (state == PTHREAD_CANCEL_DISABLE || n == SYS_close))
		return __syscall(n, a, b, c, d, e, f);
	if (n == SYS_close)
		return self->cancel ? __cancel() : __syscall(n, a, b, c, d, e, f);
	long r = __transproc_syscall_cancellable(n, a, b, c, d, e, f, &self->cancel);
	if (r == -EINTR && self->cancel && self->canceldisable != PTHREAD_CANCEL_DISABLE)
		r = __cancel();
	return r;
}

static void add_signal(sigset_t *set, int sig)
{
	unsigned bit = sig - 1, width = 8 * sizeof *set->__bits;
	set->__bits[bit / width] |= 1UL << bit % width;
}

static void cancel_handler(int sig, siginfo_t *info, void *context)
{
	pthread_t self = __pthread_self();
	ucontext_t *uc = context;

	a_barrier();
	if (!self->cancel || self->canceldisable == PTHREAD_CANCEL_DISABLE) return;

	add_signal(&uc->uc_sigmask, SIGCANCEL);
	if (self->cancelasync) {
		pthread_sigmask(SIG_SETMASK, &uc->uc_sigmask, 0);
		__cancel();
	}
	unsigned long pc = __transproc_syscall_cancel(uc->uc_mcontext.__pc, uc->uc_mcontext.__sp);
	if (pc) {
		uc->uc_mcontext.__pc = pc;
		return;
	}
	/* Perhaps another handler has interrupted a cancellation point: try again when it returns. */
	__syscall(SYS_tkill, self->tid, SIGCANCEL);
}

void __testcancel(void)
{
	pthread_t self = __pthread_self();
	if (self->cancel && !self->canceldisable)
		__cancel();
}

static void init_cancellation(void)
{
	struct sigaction sa = {
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
		.sa_sigaction = cancel_handler
	};
	memset(&sa.sa_mask, -1, _NSIG / 8);
	__libc_sigaction(SIGCANCEL, &sa, 0);
}

int pthread_cancel(pthread_t t)
{
	static int init;
	if (!init) {
		init_cancellation();
		init = 1;
	}
	a_store(&t->cancel, 1);
	if (t == pthread_self()) {
		if (t->canceldisable == PTHREAD_CANCEL_ENABLE && t->cancelasync)
			pthread_exit(PTHREAD_CANCELED);
		return 0;
	}
	return pthread_kill(t, SIGCANCEL);
}
