/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Handlers with SA_SIGINFO are called through __transproc_signal, which gives them a ucontext_t that means the same on every ISA. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>
#include "ksigaction.h"
#include "libc.h"
#include "lock.h"
#include "pthread_impl.h"
#include "syscall.h"

/* The assembly converts these. */
_Static_assert(offsetof(ucontext_t, uc_sigmask) == 40, "assembly reads it");
_Static_assert(offsetof(ucontext_t, uc_mcontext.__pc) == 168, "assembly reads it");
_Static_assert(offsetof(ucontext_t, uc_mcontext.__sp) == 176, "assembly reads it");

typedef void handler_fn(int, siginfo_t *, void *);

hidden void __transproc_context_read(const void *, ucontext_t *);
hidden void __transproc_context_write(void *, const ucontext_t *);

volatile int __eintr_valid_flag;

static int unmask_done;
static unsigned long handler_set[_NSIG / (8 * sizeof(long))];
static handler_fn *volatile handlers[_NSIG];

void __get_handler_set(sigset_t *set)
{
	memcpy(set, handler_set, sizeof handler_set);
}

/* Before uc_sigmask the kernel's struct is the same everywhere. */
static void __transproc_signal(int sig, siginfo_t *info, void *native)
{
	ucontext_t context = { 0 };
	memcpy(&context, native, offsetof(ucontext_t, uc_sigmask));
	__transproc_context_read(native, &context);
	handlers[sig](sig, info, &context);
	__transproc_context_write(native, &context);
}

static void note_handler(int sig, int flags)
{
	a_or_l(handler_set + (sig - 1) / (8 * sizeof(long)), 1UL << (sig - 1) % (8 * sizeof(long)));
	/* A handler must not see a mask in which the library's own signals are blocked. */
	if (!libc.threaded && !unmask_done) {
		__syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, SIGPT_SET, 0, _NSIG / 8);
		unmask_done = 1;
	}
	if (!(flags & SA_RESTART)) a_store(&__eintr_valid_flag, 1);
}

int __libc_sigaction(int sig, const struct sigaction *restrict sa, struct sigaction *restrict old)
{
	struct k_sigaction ksa = { 0 }, ksa_old;
	handler_fn *previous = (unsigned)sig < _NSIG ? handlers[sig] : 0;
	int wrap = 0;
	if (sa) {
		int is_handler = (uintptr_t)sa->sa_handler > 1UL;
		if (is_handler) note_handler(sig, sa->sa_flags);
		wrap = is_handler && sa->sa_flags & SA_SIGINFO;
		ksa.handler = wrap ? (void (*)(int))__transproc_signal : sa->sa_handler;
		ksa.flags = sa->sa_flags | SA_RESTORER;
		ksa.restorer = sa->sa_flags & SA_SIGINFO ? __restore_rt : __restore;
		memcpy(&ksa.mask, &sa->sa_mask, _NSIG / 8);
		/* before the kernel knows: a signal may arrive at once */
		if (wrap) handlers[sig] = sa->sa_sigaction;
	}
	int r = __syscall(SYS_rt_sigaction, sig, sa ? &ksa : 0, old ? &ksa_old : 0, _NSIG / 8);
	if (r && wrap) handlers[sig] = previous;
	if (old && !r) {
		int wrapped = ksa_old.handler == (void (*)(int))__transproc_signal;
		old->sa_handler = wrapped ? (void (*)(int))previous : ksa_old.handler;
		old->sa_flags = ksa_old.flags & ~SA_RESTORER;
		memcpy(&old->sa_mask, &ksa_old.mask, _NSIG / 8);
	}
	return __syscall_ret(r);
}

int __sigaction(int sig, const struct sigaction *restrict sa, struct sigaction *restrict old)
{
	unsigned long set[_NSIG / (8 * sizeof(long))];

	if (sig - 32U < 3 || sig - 1U >= _NSIG - 1) {
		errno = EINVAL;
		return -1;
	}

	/* abort() must not see its disposition change while it ends the process. */
	if (sig == SIGABRT) {
		__block_all_sigs(&set);
		LOCK(__abort_lock);
	}
	int r = __libc_sigaction(sig, sa, old);
	if (sig == SIGABRT) {
		UNLOCK(__abort_lock);
		__restore_sigs(&set);
	}
	return r;
}

weak_alias(__sigaction, sigaction);
