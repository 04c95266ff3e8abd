/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * SIGTRAP is ours: a breakpoint in a thread that blocks it ends the process (kernel/signal.c, force_sig_info_to_task). All system calls
 * of the program go through one function (runtime/src/arch); the beginning of that goes here, where masks lose SIGTRAP, and the program's
 * own action for it is kept.
 */
#include "self.h"

enum { RT_SIGSUSPEND = 133, RT_SIGACTION, RT_SIGPROCMASK, EPOLL_PWAIT = 22, PSELECT6 = 72, PPOLL, EPOLL_PWAIT2 = 441 }; /* neutral: asm-generic/unistd.h */

typedef long kernel_entry(long, long, long, long, long, long, long, volatile int *);

/* The beginnings of the program's functions, which go on behind them: code that is written, near the program's. */
enum { ROOM = 64, PAGE = 4096, ALL = 7 /* read, write, execute */, CLONE_VFORK = 0x4000 };
__asm__(".text\n.balign 4096\nbeginnings:\n.space 4096\n");
extern uint8_t beginnings[][ROOM];

struct action {
	uint64_t handler, flags, restorer, mask;
};
static struct action kept; /* the program's, for SIGTRAP */

static uint64_t open_mask(uint64_t mask) { return mask & ~(1ul << (SIGTRAP - 1)); }

/* Puts an opened copy of the mask that an argument points at in its place. */
static void open_argument(long *argument, uint64_t *copy)
{
	if (!*argument)
		return;
	*copy = open_mask(*(const uint64_t *)*argument);
	*argument = (long)copy;
}

static long set_kept(const struct action *action, struct action *old)
{
	struct action before = kept;
	if (action)
		kept = *action;
	if (old)
		*old = before;
	return 0;
}

/* What the program calls instead of its system call; `go` is that. */
static long call(kernel_entry *go, long n, long a, long b, long c, long d, long e, long f, volatile int *cancel)
{
	uint64_t mask, data[2];
	struct action action;
	if (n == RT_SIGACTION && a == SIGTRAP)
		return set_kept((const struct action *)b, (struct action *)c);
	if (n == RT_SIGACTION && b) {
		action = *(const struct action *)b;
		action.mask = open_mask(action.mask);
		b = (long)&action;
	} else if (n == PSELECT6 && f) {
		memcpy(data, (const void *)f, sizeof data);
		open_argument((long *)&data[0], &mask);
		f = (long)data;
	} else if (n == RT_SIGPROCMASK) {
		open_argument(&b, &mask);
	} else if (n == RT_SIGSUSPEND) {
		open_argument(&a, &mask);
	} else if (n == PPOLL) {
		open_argument(&d, &mask);
	} else if (n == EPOLL_PWAIT || n == EPOLL_PWAIT2) {
		open_argument(&e, &mask);
	}
	return go(n, a, b, c, d, e, f, cancel);
}

/* The child of posix_spawn and its like has a stack of some kilobytes, too small for a signal's frame, until its parent goes on. */
static long call_clone(long function, long stack, long flags, long argument, long parent, long tls, long child, volatile int *none)
{
	kernel_entry *go = (kernel_entry *)beginnings[0];
	bool waits = flags & CLONE_VFORK;
	if (waits)
		hold_still();
	long got = go(function, stack, flags, argument, parent, tls, child, none);
	if (waits)
		go_on();
	return got;
}

static long call_first(long n, long a, long b, long c, long d, long e, long f, volatile int *cancel)
{
	return call((kernel_entry *)beginnings[1], n, a, b, c, d, e, f, cancel);
}

static long call_second(long n, long a, long b, long c, long d, long e, long f, volatile int *cancel)
{
	return call((kernel_entry *)beginnings[2], n, a, b, c, d, e, f, cancel);
}

void take_system_calls(const uint64_t entries[DETOURS])
{
	static kernel_entry *const instead[] = { call_clone, call_first, call_second };
	SYS(NR_mprotect, beginnings, PAGE, ALL);
	for (int i = 0; i < DETOURS; i++) {
		int size = detour_of[i].size;
		memcpy(beginnings[i], (const void *)entries[i], size);
		write_jump(beginnings[i] + size, entries[i] + size);
		write_jump((uint8_t *)entries[i], (uint64_t)instead[i]);
	}
}

bool give_to_program(int signal, const uint32_t *info, struct context *context)
{
	static const uint64_t trap = 1ul << (SIGTRAP - 1);
	if (kept.handler <= 1)
		return kept.handler == 1 && (int)info[2] <= 0; /* sent, and ignored */
	SYS(NR_rt_sigprocmask, 1 /* SIG_UNBLOCK */, &trap, 0, 8);
	((void (*)(int, const uint32_t *, struct context *))kept.handler)(signal, info, context);
	return true;
}
