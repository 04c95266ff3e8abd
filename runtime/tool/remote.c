/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See remote.h. */
#include "remote.h"

enum { GENERAL = 1 /* NT_PRSTATUS */, SYSCALL_STOP = SIGTRAP | 0x80, MOST_STOPS = 64, STAND_PAUSE = 1 };

struct vector {
	void *data;
	size_t size;
};

struct peek {
	uint64_t offset;
	uint32_t flags;
	int32_t count;
};

bool trap_is_pending(int tid)
{
	struct signal_info infos[8];
	struct peek peek = { 0, 0, 8 };
	long count = SYS(NR_ptrace, PTRACE_PEEKSIGINFO, tid, &peek, infos);
	for (long i = 0; i < count; i++)
		if (infos[i].signal == SIGTRAP && infos[i].code > 0)
			return true;
	return false;
}

uint64_t trap_of(const struct index *index)
{
	for (uint32_t i = 0; i < index->special_count; i++)
		if (index->specials[i].kind == SPECIAL_TRAP)
			return index->specials[i].pc;
	return 0;
}

long get_registers(int tid, struct registers *registers)
{
	struct vector vector = { registers, sizeof *registers };
	return SYS(NR_ptrace, PTRACE_GETREGSET, tid, GENERAL, &vector);
}

long put_registers(int tid, const struct registers *registers)
{
	struct vector vector = { (void *)registers, sizeof *registers };
	long result = SYS(NR_ptrace, PTRACE_SETREGSET, tid, GENERAL, &vector);
	forget_call(tid);
	return result;
}

long get_mask(int tid, uint64_t *mask)
{
	return SYS(NR_ptrace, PTRACE_GETSIGMASK, tid, SIGNAL_SET, mask);
}

long put_mask(int tid, uint64_t mask)
{
	return SYS(NR_ptrace, PTRACE_SETSIGMASK, tid, SIGNAL_SET, &mask);
}

bool seize_stopped(int tid, long time)
{
	int status;
	long until = now() + time, result;
	/* A tracer that is ending closes its files before it lets go of its threads. */
	while ((result = SYS(NR_ptrace, PTRACE_SEIZE, tid, 0, TRACE_OPTIONS)) == -EPERM && now() < until)
		rest(STAND_PAUSE);
	if (result < 0)
		return false;
	SYS(NR_ptrace, PTRACE_INTERRUPT, tid, 0, 0);
	for (; now() < until; rest(STAND_PAUSE)) {
		long got = SYS(NR_wait4, tid, &status, WNOHANG | WALL, 0);
		if (got == tid)
			return (status & 0xff) == 0x7f;
		if (got < 0)
			return false;
	}
	return false;
}

/* Continues it until the kernel reports the start or end of a system call. */
static long to_call_stop(int tid)
{
	for (int i = 0; i < MOST_STOPS; i++) {
		int status = 0;
		if (SYS(NR_ptrace, PTRACE_SYSCALL, tid, 0, 0) < 0 || SYS(NR_wait4, tid, &status, WALL, 0) != tid || (status & 0xff) != 0x7f)
			return -ESRCH;
		if (status >> 8 == SYSCALL_STOP)
			return 0;
	}
	return -EIO;
}

/* On aarch64 the kernel may put the number of a sleep that it wants to resume in the place of ours: it is said again at the entry. */
static long make_call(int tid, long number)
{
	long done = to_call_stop(tid);
	if (done == 0)
		name_call(tid, (int)number);
	return done == 0 ? to_call_stop(tid) : done;
}

/* From the end of a call to an event stop, before which no instruction is executed, and behind which the kernel looks at the registers. */
long stand_still(int tid)
{
	for (int i = 0; i < MOST_STOPS; i++) {
		int status = 0;
		SYS(NR_ptrace, PTRACE_INTERRUPT, tid, 0, 0);
		if (SYS(NR_ptrace, PTRACE_CONT, tid, 0, 0) < 0 || SYS(NR_wait4, tid, &status, WALL, 0) != tid || (status & 0xff) != 0x7f)
			return -ESRCH;
		if (status >> 16 == EVENT_STOP)
			return 0;
	}
	return -EIO;
}

long call_remotely(int tid, uint64_t trap, long number, const uint64_t arguments[4], struct call *call, long *result)
{
	struct registers registers;
	if (!trap || get_registers(tid, &call->registers) < 0 || get_mask(tid, &call->mask) < 0)
		return -ESRCH;
	registers = call->registers;
	prepare_call(&registers, trap, number, arguments);
	call->tid = tid;
	put_mask(tid, ~(uint64_t)TRAP_MASK);
	put_registers(tid, &registers);
	long done = make_call(tid, number);
	if (done == 0 && get_registers(tid, &registers) == 0)
		*result = call_result(&registers);
	put_registers(tid, &call->registers);
	if (done == 0)
		done = stand_still(tid);
	put_registers(tid, &call->registers);
	put_mask(tid, call->mask);
	call->tid = 0;
	return done;
}

long leave_handler(int tid, uint64_t trap)
{
	static const uint64_t none[4];
	struct registers registers;
	if (!trap || get_registers(tid, &registers) < 0)
		return -ESRCH;
	uint64_t frame = handler_frame(&registers);
	prepare_call(&registers, trap, NR_rt_sigreturn, none);
	set_stack(&registers, frame);
	put_registers(tid, &registers);
	long done = make_call(tid, NR_rt_sigreturn);
	return done == 0 ? stand_still(tid) : done;
}

void take_pending_trap(int tid)
{
	int status;
	if (!trap_is_pending(tid))
		return;
	/* The thread executes nothing: the signal is reported, and dropped. */
	if (SYS(NR_ptrace, PTRACE_CONT, tid, 0, 0) == 0 && SYS(NR_wait4, tid, &status, WALL, 0) == tid)
		stand_still(tid);
}
