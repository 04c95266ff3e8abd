/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * SIGTRAP is ours: a breakpoint in a thread that blocks it ends the process (kernel/signal.c, force_sig_info_to_task). The program's
 * system calls go through one function (runtime/src/arch); the beginning of that goes here, where masks lose SIGTRAP, and the program's
 * own action for it is kept.
 */
#include "self.h"

enum { RT_SIGSUSPEND = 133, RT_SIGACTION, RT_SIGPROCMASK, EPOLL_PWAIT = 22, PSELECT6 = 72, PPOLL, EPOLL_PWAIT2 = 441 }; /* neutral: asm-generic/unistd.h */
enum { SIG_IGNORE = 1, SIG_SETMASK = 2, CLONE_VFORK = 0x4000, ARGUMENTS = 6, ROOM = 64, PAGE = 4096, ALL = 7 /* read, write, execute */ };

typedef long kernel_entry(long, long, long, long, long, long, long, volatile int *);

struct action {
	uint64_t handler, flags, restorer, mask;
};
static struct action kept; /* the program's, for SIGTRAP */

static const struct {
	long number, argument;
} masks[] = { { RT_SIGSUSPEND, 0 }, { RT_SIGPROCMASK, 1 }, { PPOLL, 3 }, { EPOLL_PWAIT, 4 }, { EPOLL_PWAIT2, 4 } };

/* The beginnings of the program's functions, which go on behind them: code that is written, near the program's. */
__asm__(".text\n.balign 4096\nbeginnings:\n.space 4096\n");
extern uint8_t beginnings[][ROOM];

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
	if (action) {
		kept = *action;
		catch_traps(kept.handler == SIG_IGNORE ? SA_RESTART : kept.flags & (SA_RESTART | SA_ONSTACK));
	}
	if (old)
		*old = before;
	return 0;
}

/* What the program calls instead of its system call; `go` is that. */
static long call(kernel_entry *go, long n, long argument[ARGUMENTS], volatile int *cancel)
{
	uint64_t mask, data[2];
	struct action action;
	if (n == RT_SIGACTION && argument[0] == SIGTRAP)
		return set_kept((const struct action *)argument[1], (struct action *)argument[2]);
	if (n == RT_SIGACTION && argument[1]) {
		action = *(const struct action *)argument[1];
		action.mask = open_mask(action.mask);
		argument[1] = (long)&action;
	}
	if (n == PSELECT6 && argument[5]) {
		memcpy(data, (const void *)argument[5], sizeof data);
		open_argument((long *)&data[0], &mask);
		argument[5] = (long)data;
	}
	for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
		if (n == masks[i].number)
			open_argument(&argument[masks[i].argument], &mask);
	return go(n, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5], cancel);
}

/* The child of posix_spawn and its like has a stack of some kilobytes, too small for a signal's frame, until its parent goes on. It
 * shares memory, but not what it sets for signals. */
static long call_clone(long function, long stack, long flags, long argument, long parent, long tls, long child, volatile int *none)
{
	kernel_entry *go = (kernel_entry *)beginnings[0];
	if (!(flags & CLONE_VFORK))
		return go(function, stack, flags, argument, parent, tls, child, none);
	struct action before = kept;
	hold_still();
	long got = go(function, stack, flags, argument, parent, tls, child, none);
	go_on();
	kept = before;
	return got;
}

static long call_first(long n, long a, long b, long c, long d, long e, long f, volatile int *cancel)
{
	return call((kernel_entry *)beginnings[1], n, (long[]){ a, b, c, d, e, f }, cancel);
}

static long call_second(long n, long a, long b, long c, long d, long e, long f, volatile int *cancel)
{
	return call((kernel_entry *)beginnings[2], n, (long[]){ a, b, c, d, e, f }, cancel);
}

void take_system_calls(const uint64_t entries[DETOURS])
{
	static kernel_entry *const instead[] = { call_clone, call_first, call_second };
	SYS(NR_mprotect, beginnings, PAGE, ALL);
	for (int i = 0; i < DETOURS; i++) {
		int size = detour_of[i].size;
		memcpy(beginnings[i], (const void *)entries[i], size);
		for (int k = 0; k < size; k += 4)
			code_changed((uint64_t)&beginnings[i][k]);
		write_jump(beginnings[i] + size, entries[i] + size);
		write_jump((uint8_t *)entries[i], (uint64_t)instead[i]);
	}
}

bool give_to_program(int signal, const uint32_t *info, struct context *context)
{
	if (kept.handler <= SIG_IGNORE)
		return kept.handler == SIG_IGNORE && (int)info[2] <= 0; /* sent, and ignored */
	uint64_t handler = kept.handler, mask = open_mask(context_mask(context) | kept.mask);
	if (kept.flags & SA_RESETHAND)
		kept.handler = 0;
	SYS(NR_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
	((void (*)(int, const uint32_t *, struct context *))handler)(signal, info, context);
	return true;
}
