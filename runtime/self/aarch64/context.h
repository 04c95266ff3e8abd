/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* aarch64: what a signal handler sees (arch/arm64/include/uapi/asm/sigcontext.h, ucontext.h), and what C cannot say. */
#ifndef SELF_CONTEXT_H
#define SELF_CONTEXT_H

#include "base.h"
#include "detour.h"

enum { NR_nanosleep = 101, NR_gettid = 178, NR_exit = 93, NR_mprotect = 226 };
enum { VECTOR_FIRST = 64, VECTORS = 32, RECORD_REGISTER = 19 };
enum { RETURN_BYTES = 0 };
static const uint8_t integer_results[] = { 0, 1 };

struct context {
	uint64_t flags, link, stack[3], mask[16], fill, fault, x[31], sp, pc, state;
	uint64_t align;
	struct {
		uint32_t magic, size, fpsr, fpcr;
		uint8_t vectors[32 * 16];
	} floating; /* the first record of the reserved space: setup_sigframe writes it there */
};
_Static_assert(offsetof(struct context, fault) == 176 && offsetof(struct context, floating) == 464, "ucontext");

static inline uint64_t context_pc(const struct context *c) { return c->pc; }
static inline uint64_t context_mask(const struct context *c) { return c->mask[0]; }
static inline void set_context_pc(struct context *c, uint64_t pc) { c->pc = pc; }
static inline uint8_t *context_vectors(struct context *c) { return c->floating.vectors; }
static inline void read_context(const struct context *c, uint64_t out[DWARF_REGISTERS]) { memcpy(out, c->x, 32 * sizeof *out); }
static inline void write_context(struct context *c, const uint64_t in[DWARF_REGISTERS]) { memcpy(c->x, in, 32 * sizeof *in); }

static inline void code_changed(uint64_t address)
{
	__asm__ volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" ::"r"(address) : "memory");
}

/* Functions of the program that go through signals.c, and the size of the instructions at their beginning that may lie anywhere. Both
 * ways to a system call are by the last one. */
enum { DETOURS = 2 };
static const struct detour detour_of[] = { { "__transproc_clone", 16 }, { "__transproc_syscall_cancellable", 16 } };

/* ldr x16, .+8; br x16; .quad to */
static inline void write_jump(uint8_t *at, uint64_t to)
{
	const uint32_t code[] = { 0x58000050, 0xd61f0200, (uint32_t)to, (uint32_t)(to >> 32) };
	memcpy(at, code, sizeof code);
	for (unsigned i = 0; i < sizeof code; i += 4)
		code_changed((uint64_t)at + i);
}

#define RESTORER "restore_context:\n	mov x8, #139\n	svc #0\n"
#define START_THREAD                   \
	"start_thread:\n"              \
	"	mov x9, x2\n"          \
	"	mov x2, xzr\n"         \
	"	mov x3, xzr\n"         \
	"	mov x4, xzr\n"         \
	"	mov x8, #220\n"        \
	"	svc #0\n"              \
	"	cbnz x0, 1f\n"         \
	"	mov x29, xzr\n"        \
	"	blr x9\n"              \
	"	brk #1\n"              \
	"1:	ret\n"

static inline _Noreturn void enter_program(uint64_t entry, long *stack)
{
	__asm__ volatile("mov sp, %0; mov x0, xzr; br %1" ::"r"(stack), "r"(entry) : "memory");
	__builtin_unreachable();
}

#endif
