/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* x86_64: what a signal handler sees (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h), and what C cannot say. */
#ifndef SELF_CONTEXT_H
#define SELF_CONTEXT_H

#include "base.h"
#include "detour.h"

enum { NR_nanosleep = 35, NR_gettid = 186, NR_exit = 60, NR_mprotect = 10 };
enum { VECTOR_FIRST = 17, VECTORS = 16, RECORD_REGISTER = 3 /* rbx */ };
enum { RETURN_BYTES = 8 /* that a call pushes */ };
static const uint8_t integer_results[] = { 0, 1 }; /* rax, rdx */

struct context {
	uint64_t flags, link, stack[3];
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, rest[6];
	uint8_t *floating;
	uint64_t reserved[8], mask;
};
_Static_assert(offsetof(struct context, floating) == 224 && offsetof(struct context, mask) == 296, "ucontext");
enum { FLOATING_VECTORS = 160 };

static inline uint64_t context_pc(const struct context *c) { return c->ip; }
static inline uint64_t context_mask(const struct context *c) { return c->mask; }
static inline void set_context_pc(struct context *c, uint64_t pc) { c->ip = pc; }
static inline uint8_t *context_vectors(struct context *c) { return c->floating + FLOATING_VECTORS; }
static inline void read_context(const struct context *c, uint64_t out[DWARF_REGISTERS])
{
	const uint64_t order[] = { c->ax, c->dx, c->cx, c->bx, c->si, c->di, c->bp, c->sp, c->r8, c->r9, c->r10, c->r11, c->r12, c->r13,
		c->r14, c->r15 };
	memcpy(out, order, sizeof order);
}
static inline void write_context(struct context *c, const uint64_t in[DWARF_REGISTERS])
{
	c->ax = in[0], c->dx = in[1], c->cx = in[2], c->bx = in[3], c->si = in[4], c->di = in[5], c->bp = in[6], c->sp = in[7];
	c->r8 = in[8], c->r9 = in[9], c->r10 = in[10], c->r11 = in[11], c->r12 = in[12], c->r13 = in[13], c->r14 = in[14],
	c->r15 = in[15];
}

/* Code caches follow stores by themselves. */
static inline void code_changed(uint64_t address) { (void)address; }

/* Functions of the program that go through signals.c, and the size of the instructions at their beginning that may lie anywhere. */
enum { DETOURS = 3 };
static const struct detour detour_of[] = { { "__transproc_clone", 8 }, { "__transproc_syscall", 7 }, { "__transproc_syscall_cancellable", 7 } };

/* jmp rel32: both lie within 2 GiB. */
static inline void write_jump(uint8_t *at, uint64_t to)
{
	int32_t distance = (int32_t)(to - (uint64_t)at - 5);
	*at = 0xe9;
	memcpy(at + 1, &distance, sizeof distance);
}

#define RESTORER "restore_context:\n	mov $15, %eax\n	syscall\n"
/* long start_thread(flags, stack, function): clone(2); the new thread calls the function. */
#define START_THREAD                   \
	"start_thread:\n"              \
	"	mov %rdx, %r9\n"       \
	"	xor %edx, %edx\n"      \
	"	xor %r10d, %r10d\n"    \
	"	xor %r8d, %r8d\n"      \
	"	mov $56, %eax\n"       \
	"	syscall\n"             \
	"	test %rax, %rax\n"     \
	"	jnz 1f\n"              \
	"	xor %ebp, %ebp\n"      \
	"	call *%r9\n"           \
	"	hlt\n"                 \
	"1:	ret\n"

static inline _Noreturn void enter_program(uint64_t entry, long *stack)
{
	__asm__ volatile("mov %0, %%rsp; xor %%edx, %%edx; jmp *%1" ::"r"(stack), "r"(entry) : "memory");
	__builtin_unreachable();
}

#endif
