/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What keeps a program alive when SIGKILL ends who traces it, with breakpoints or code of its own in the program.
 *
 * - The program is in a group stop all the while; its threads run because the tracer continues them. When that dies, the kernel stops each
 *   before it executes another instruction (kernel/ptrace.c, __ptrace_unlink).
 * - A thread that has reported a trap which nobody took notice of yet is given the signal then. It would end the program, so
 *   SIGTRAP has a handler: an address that is no code, at which the thread comes to stand in the group stop, above a frame that says
 *   where it was.
 * - So all is there that is needed to put the program in order. A second process, our guardian, does that for a pause. For criu a
 *   file says what the threads were: see mend.h.
 */
#ifndef TOOL_GUARD_H
#define TOOL_GUARD_H

#include "session.h"

/* Handlers of SIGTRAP; no mapping can be below 64 kB (mmap_min_addr). The second where it was ignored. Also transproc/transform/guards.py. */
enum { GUARD = 0x7470, GUARD_IGNORED = 0x7471 };

/*
 * Waits until nobody else traces the program, and keeps others away until we and our guardian have ended: the lock is on its executable,
 * of which each job has a copy of its own.
 */
void lock_program(int pid);

/* Forks the guardian, which waits for our end; the session is in shared memory. Nothing is guarded if it cannot be. */
void start_guardian(struct session *session);
/* It is not needed any more. */
void dismiss_guardian(struct session *session);

/*
 * A thread that can make a call: it stands in an event stop, or at a breakpoint. If there is one that is not in a call itself: on aarch64 a
 * sleep would begin anew.
 */
struct thread *caller(struct session *session, const struct process *process);

/* Before breakpoints are planted: a process whose threads are all stopped. False after a failure. */
bool guard_process(struct session *session, struct process *process);
/* Its handler goes. A thread of it that is stopped makes the call. */
void unguard_process(struct session *session, struct process *process);

/* The same for one thread, in an event stop: sets the handler, or takes it away. 0 or -errno. */
long set_guard(int pid, int tid, const struct index *index, bool guarded, struct call *call);
/* Whether a process has a handler for SIGTRAP, its own or ours. */
bool catches_traps(int pid);

#endif
