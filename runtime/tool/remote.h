/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * System calls in another program's thread, without code of ours in it: at the program's own trap, between two stops that the kernel
 * makes at the call itself. Whoever makes them may die at any moment: nothing there can end the program.
 */
#ifndef TOOL_REMOTE_H
#define TOOL_REMOTE_H

#include "session.h"

enum { SIGNAL_SET = 8, TRAP_MASK = 1 << (SIGTRAP - 1) };

/* The head of siginfo_t, in a place of its full size. */
struct signal_info {
	int signal, error, code, pad[29];
};
_Static_assert(sizeof(struct signal_info) == 128, "siginfo_t");

/* Whether the kernel has a SIGTRAP for a thread that was not reported yet: a breakpoint's, or of a single step. */
bool trap_is_pending(int tid);
/* Takes it: nobody is to be ended by it. */
void take_pending_trap(int tid);

/* The address of the program's trap; 0 if it has none. */
uint64_t trap_of(const struct index *index);

/* Traces a thread that is stopped, or about to be, and waits until it stands; false if it does not within `time` ms. */
bool seize_stopped(int tid, long time);

/*
 * Lets a thread that stands in an event stop, or in that of a signal that is not to be delivered, make a call. Afterwards it stands in an
 * event stop, with its registers and mask as before. 0 with the call's `result`, or -errno if the thread has gone. `call`: see above.
 */
long call_remotely(int tid, uint64_t trap, long number, const uint64_t arguments[4], struct call *call, long *result);

/* Ends the frame of a handler at whose first instruction the thread stands: it is then where the signal had met it. 0 or -errno. */
long leave_handler(int tid, uint64_t trap);

/* From a stop in a system call to an event stop: no instruction is executed between. 0 or -errno. */
long stand_still(int tid);

long get_registers(int tid, struct registers *registers);
/* Of a thread that stands where no call is under way: none is issued again that the registers do not tell of. */
long put_registers(int tid, const struct registers *registers);
long get_mask(int tid, uint64_t *mask);
long put_mask(int tid, uint64_t mask);

#endif
