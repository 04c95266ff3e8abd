/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* setjmp and longjmp of stressed programs: glibc's registers, and what runtime/libc/src/setjmp/jump.c notes behind them. */
#include "harness.h"
#include <setjmp.h>

/* Functions without sites keep plain calls, which the stress builder renames to stress_setjmp, …: their buffers have no mark. */
enum { MARK = 200, SITE = 208, KEY = 216, SAVES_MASK = 224 };
uint64_t transproc_stress_epoch; /* migrations so far */

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl __transproc_setjmp\n__transproc_setjmp:\n"
        "movq $0, 224(%rdi)\n mov %rsi, 200(%rdi)\n mov %rdx, 208(%rdi)\n"
        "mov (%rsi), %rdx\n add transproc_stress_epoch(%rip), %rdx\n mov %rdx, 216(%rdi)\n jmp _setjmp\n"
        ".globl __transproc_sigsetjmp\n__transproc_sigsetjmp:\n"
        "mov %rdx, 200(%rdi)\n mov %rcx, 208(%rdi)\n mov (%rdx), %rdx\n add transproc_stress_epoch(%rip), %rdx\n"
        "mov %rdx, 216(%rdi)\n mov %esi, %edx\n mov %rdx, 224(%rdi)\n jmp __sigsetjmp\n"
        ".globl stress_setjmp, stress__setjmp, stress_sigsetjmp\nstress_setjmp:\nstress__setjmp:\n"
        "movq $0, 200(%rdi)\n jmp _setjmp\n"
        "stress_sigsetjmp:\n movq $0, 200(%rdi)\n jmp __sigsetjmp\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl __transproc_setjmp\n__transproc_setjmp:\n"
        "str xzr, [x0, #224]\n stp x1, x2, [x0, #200]\n ldr x2, [x1]\n"
        "adrp x1, transproc_stress_epoch\n ldr x1, [x1, :lo12:transproc_stress_epoch]\n"
        "add x2, x2, x1\n str x2, [x0, #216]\n b _setjmp\n"
        ".globl __transproc_sigsetjmp\n__transproc_sigsetjmp:\n"
        "stp x2, x3, [x0, #200]\n ldr x2, [x2]\n"
        "adrp x3, transproc_stress_epoch\n ldr x3, [x3, :lo12:transproc_stress_epoch]\n"
        "add x2, x2, x3\n str x2, [x0, #216]\n mov w2, w1\n str x2, [x0, #224]\n b __sigsetjmp\n"
        ".globl stress_setjmp, stress__setjmp, stress_sigsetjmp\nstress_setjmp:\nstress__setjmp:\n"
        "str xzr, [x0, #200]\n b _setjmp\n"
        "stress_sigsetjmp:\n str xzr, [x0, #200]\n b __sigsetjmp\n");
#endif

static uint64_t *word(void *buffer, int offset) { return (uint64_t *)((char *)buffer + offset); }

static int lists(struct transproc_record *r, void *object) {
  for (size_t i = 0; i < frame_of(r)->object_count; i++)
    if (r->objects[i] == object) return 1;
  return 0;
}

/* The stress builder renames longjmp, _longjmp and siglongjmp to these. */
_Noreturn void stress_longjmp(void *buffer, int value) {
  uint64_t *mark = (uint64_t *)*word(buffer, MARK);
  if (!mark || *mark + transproc_stress_epoch == *word(buffer, KEY)) longjmp(buffer, value);
  if (*word(buffer, SAVES_MASK)) sigprocmask(SIG_SETMASK, (void *)&((struct __jmp_buf_tag *)buffer)->__saved_mask, 0);
  struct transproc_record *r = current;
  while (r != sentinel && !lists(r, mark)) r = r->outer;
  if (r == sentinel) fail("longjmp to a frame that is not there", (uint64_t)mark);
  *mark += 1ul << 32;
  r->site = *word(buffer, SITE);
  r->result[0] = value ? (unsigned)value : 1;
  jump_to(r);
}
_Noreturn void stress__longjmp(void *buffer, int value) { stress_longjmp(buffer, value); }
_Noreturn void stress_siglongjmp(void *buffer, int value) { stress_longjmp(buffer, value); }
