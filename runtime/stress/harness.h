/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Parts of the stress harness: the program's stack maps, and what depends on the ISA. */
#ifndef TRANSPROC_STRESS_HARNESS_H
#define TRANSPROC_STRESS_HARNESS_H

#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unwind.h>

struct transproc_record {
  void (*enter)(struct transproc_record *);
  struct transproc_record *outer;
  uint64_t site;
  void **objects;
  uint64_t result[4];
  void *base;
  uint64_t size;
  uint64_t slots[];
} __attribute__((aligned(64)));

/* LLVM's stack map locations. */
enum { LOCATION_REGISTER = 1, LOCATION_DIRECT, LOCATION_INDIRECT, LOCATION_CONSTANT, LOCATION_CONSTANT_INDEX };
struct location { uint8_t kind, pad; uint16_t size, reg, pad2; int32_t offset; };

struct function {
  void *start;
  void (*resume)(struct transproc_record *);
  uint64_t id_base;
  const struct site *objects; /* site with the object list, or 0 */
  int dynamic;                /* has dynamic allocas */
};
/* The constant before a site's values. Its parts are members, not shifts: gcc 14.2 for aarch64 drops the mask of
 * `16 * (header >> 16 & 0xffff)` at -O2. */
struct header { uint16_t narrow, wide; uint32_t result; };
struct site {
  uint64_t pc, id;
  struct header header;
  const struct location *values;  /* listed values */
  const struct location *objects; /* object list, or 0 */
  unsigned objects_count;
  int in_resume;
  const uint64_t *constants;
  struct function *function;
};

enum { MAX_REGIONS = 64 };
/* One activation that waits to be resumed. */
struct frame {
  struct function *function;
  size_t object_count;     /* listed objects, including dynamic regions' owners */
  size_t region_count;     /* dynamic allocas: [low, high) of each activation of this frame so far */
  struct { char *low, *high; } regions[MAX_REGIONS];
  char *low;               /* lowest byte that this frame or an outer one owns; 0: not yet known */
  struct transproc_record record;
};
static inline struct frame *frame_of(struct transproc_record *r) {
  return (struct frame *)((char *)r - offsetof(struct frame, record));
}

/* maps.c */
extern struct site *sites; /* by pc, then points after calls */
extern size_t site_count;
void load_sites(void);
const struct site *find_site(uint64_t pc, int point);
uint64_t constant_of(const struct site *s, const struct location *l);
_Noreturn void fail(const char *message, uint64_t value);

/* frames.c. A frame of the machine stack; stopped: the registers of the innermost one, if a breakpoint ended it. */
struct machine_frame { struct _Unwind_Context *unwind; uint64_t sp; ucontext_t *stopped; };
void *allocate(size_t size);
struct frame *read_frame(const struct machine_frame *f, const struct site *s);
void release(struct frame *f);

/* walk.c. Links the frames' records, from the first to the sentinel or a record that waits already. */
struct walk { struct frame *first, *last; int done, bad, count, innermost; ucontext_t *stopped; char *last_sp; };
void walk_stack(struct walk *w);

/* resume.c */
extern struct transproc_record *current; /* whose entry runs now, if any */
extern char *scheduler_top;              /* a stack of its own, on which the program's stack is overwritten */
void transproc_stress_loop(struct transproc_record *r);
_Noreturn void resume(struct transproc_record *first, char *low);
_Noreturn void jump_to(struct transproc_record *r); /* one that is current or waits */

/* jump.c */
extern uint64_t transproc_stress_epoch;

/* harness.c */
extern struct transproc_record *sentinel; /* ends the program */
extern int lenient, verbose;
int transproc_stress_boot(int argc, char **argv);

#if defined(__x86_64__)
enum { CALLEE_SAVED_VECTORS = 0, RETURN_ADDRESS_BYTES = 8, DWARF_SP = 7, DWARF_ZERO = 0xffff /* none */, DWARF_VECTOR = 17 };
static const unsigned char breakpoint[] = {0xCC};        /* int3 */
static const unsigned result_registers[] = {0, 1};       /* DWARF numbers of rax, rdx (psABI, figure 3.36) */
static inline uint64_t general_register(ucontext_t *c, unsigned dwarf) {
  static const int index[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
                              REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return c->uc_mcontext.gregs[index[dwarf]];
}
static inline const void *vector_register(ucontext_t *c, unsigned n) { return &c->uc_mcontext.fpregs->_xmm[n]; }
static inline uint64_t stack_pointer(ucontext_t *c) { return c->uc_mcontext.gregs[REG_RSP]; }
static inline uint64_t program_counter(ucontext_t *c) { return c->uc_mcontext.gregs[REG_RIP]; }
static inline void step_back(ucontext_t *c) { c->uc_mcontext.gregs[REG_RIP] -= sizeof breakpoint; }
static inline _Noreturn void switch_stack(char *top, void (*function)(void)) {
  __asm__ volatile("mov %0,%%rsp; xor %%ebp,%%ebp; call *%1; ud2" ::"r"(top), "r"(function) : "memory");
  __builtin_unreachable();
}
#elif defined(__aarch64__)
enum { CALLEE_SAVED_VECTORS = 1 /* d8-d15 */, RETURN_ADDRESS_BYTES = 0, DWARF_SP = 31, DWARF_ZERO = 31 /* xzr, as a value */, DWARF_VECTOR = 64 };
static const unsigned char breakpoint[] = {0x00, 0x00, 0x20, 0xD4}; /* brk #0 */
static const unsigned result_registers[] = {0, 1};                  /* x0, x1 */
static inline uint64_t general_register(ucontext_t *c, unsigned dwarf) { return c->uc_mcontext.regs[dwarf]; }
static inline const void *vector_register(ucontext_t *c, unsigned n) {
  return &((struct fpsimd_context *)c->uc_mcontext.__reserved)->vregs[n];
}
static inline uint64_t stack_pointer(ucontext_t *c) { return c->uc_mcontext.sp; }
static inline uint64_t program_counter(ucontext_t *c) { return c->uc_mcontext.pc; }
static inline void step_back(ucontext_t *c) { (void)c; /* pc is at the breakpoint */ }
static inline _Noreturn void switch_stack(char *top, void (*function)(void)) {
  __asm__ volatile("mov sp,%0; mov x29,#0; blr %1; brk #1" ::"r"(top), "r"(function) : "memory");
  __builtin_unreachable();
}
#endif
#endif
