/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The thread block is the same on every ISA: struct pthread, a gap, the TLS block, a tail for x86_64's thread pointer (__init_tls.c).
 * Code finds it through a thread-local variable; only the assembly knows where the thread pointer of its ISA points. What musl
 * takes for the thread pointer is aarch64's. */
struct __pthread;
extern hidden _Thread_local struct __pthread *__transproc_self;

#define TLS_ABOVE_TP
#define GAP_ABOVE_TP 16
#define __get_tp() ((uintptr_t)__transproc_self + sizeof(struct __pthread))
#define MC_PC __pc
