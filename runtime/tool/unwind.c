/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Whether the state of a stopped thread is described from its innermost frame to the bottom of its stack (docs/format.md,
 * section 6): call-frame rules only, no values are read.
 */
#include "session.h"

enum { MAX_DEPTH = 1 << 22, WINDOW = 4096 };

/*
 * Calls that return -EINTR, and are not issued again by the kernel, when a thread was merely stopped (signal(7), "Interruption of
 * system calls and library functions by stop signals"). An interrupted one has had no effect, so issuing it again is as if we
 * had come just before it; the program would otherwise see an error that it may not expect. Neutral numbers (asm-generic).
 */
static const uint64_t interrupted_by_stops[] = {
	22 /* epoll_pwait */, 441 /* epoll_pwait2 */, 4 /* io_getevents */, 137 /* rt_sigtimedwait */, 192 /* semtimedop */,
	193 /* semop */, 63 /* read: inotify, sockets with SO_RCVTIMEO */, 65 /* readv */, 202 /* accept, SO_RCVTIMEO */,
	242 /* accept4 */, 207 /* recvfrom */, 212 /* recvmsg */, 243 /* recvmmsg */, 64 /* write, SO_SNDTIMEO */, 66 /* writev */,
	206 /* sendto */, 211 /* sendmsg */, 186 /* msgrcv */, 188 /* msgsnd */, 98 /* futex */,
};

/* The leaf keeps the call's neutral arguments at CFA - 80 ... (docs/format.md, section 5). */
enum { LEAF_NUMBER = -80, LEAF_FIRST = -72 };

struct frame {
	uint64_t pc;
	uint64_t registers[DWARF_REGISTERS];
};

/* A piece of the stack, so that unwinding does not cost a system call for each word. */
struct window {
	uint64_t start;
	uint8_t data[WINDOW];
	bool valid;
};

static bool stack_word(const struct space *space, struct window *window, uint64_t address, uint64_t *value)
{
	if (!window->valid || address < window->start || address + 8 > window->start + WINDOW) {
		window->start = address & ~(uint64_t)(WINDOW - 1);
		window->valid = read_memory(space, window->start, window->data, WINDOW);
		if (!window->valid || address + 8 > window->start + WINDOW)
			return read_memory(space, address, value, sizeof *value);
	}
	memcpy(value, window->data + (address - window->start), sizeof *value);
	return true;
}

static uint64_t frame_address(const struct index *index, uint32_t row, const struct frame *frame)
{
	const struct row *rule = &index->rows[row];
	return frame->registers[rule->cfa_register] + (uint64_t)(int64_t)rule->cfa_offset;
}

/* From a frame to its caller's. */
static bool step_out(const struct space *space, struct window *window, uint32_t row, struct frame *frame)
{
	const struct row *rule = &space->index->rows[row];
	const struct saved *saved = space->index->saved + rule->saved;
	uint64_t cfa = frame_address(space->index, row, frame);
	struct frame caller = *frame;
	for (int i = 0; i < rule->saved_count; i++) {
		uint64_t value;
		if (!stack_word(space, window, cfa + (uint64_t)(int64_t)saved[i].offset, &value))
			return false;
		if (saved[i].reg < DWARF_REGISTERS) /* vector registers may be listed too */
			caller.registers[saved[i].reg] = value;
	}
	caller.registers[DWARF_SP] = cfa;
	if (RETURN_REGISTER >= 0)
		caller.pc = caller.registers[RETURN_REGISTER < 0 ? 0 : RETURN_REGISTER];
	else if (!stack_word(space, window, cfa + (uint64_t)(int64_t)RETURN_OFFSET, &caller.pc))
		return false;
	*frame = caller;
	return true;
}

/* Follows the callers of a described frame to the bottom. */
static enum verdict unwind(struct thread *thread, uint32_t row, struct frame *frame, enum verdict good)
{
	const struct space *space = thread->process->space;
	static struct window window;
	window.valid = false;
	for (thread->depth = 1; thread->depth < MAX_DEPTH; thread->depth++) {
		uint64_t sp = frame->registers[DWARF_SP];
		if (!step_out(space, &window, row, frame))
			return STACK_UNREADABLE;
		thread->culprit = frame->pc;
		const struct special *special = special_at(space->index, frame->pc);
		const struct site *site = call_site_at(space->index, frame->pc);
		if (special && special->kind >= SPECIAL_MAIN_BOTTOM && special->kind <= SPECIAL_LOOP)
			return good;
		if (frame->registers[DWARF_SP] <= sp && thread->depth > 1)
			return FRAME_UNKNOWN; /* the stack does not grow this way: we are lost */
		if (special && special->kind == SPECIAL_SYSCALL_RETURN)
			row = special->row;
		else if (site)
			row = site->row;
		else
			return FRAME_UNKNOWN;
	}
	return FRAME_UNKNOWN;
}

/* Behind the trap with -EINTR, from a call that only our stopping it has interrupted: issue it again. */
static bool issue_again(struct thread *thread, const struct special *special, const struct frame *frame, struct registers *registers)
{
	const struct space *space = thread->process->space;
	uint64_t cfa = frame_address(space->index, special->row, frame), number, first;
	if (call_result(registers) != -EINTR || !read_memory(space, cfa + (uint64_t)(int64_t)LEAF_NUMBER, &number, 8) ||
	    !read_memory(space, cfa + (uint64_t)(int64_t)LEAF_FIRST, &first, 8))
		return false;
	uint64_t trap = 0;
	for (uint32_t i = 0; i < space->index->special_count; i++)
		if (space->index->specials[i].kind == SPECIAL_TRAP)
			trap = space->index->specials[i].pc;
	for (size_t i = 0; i < sizeof interrupted_by_stops / sizeof *interrupted_by_stops; i++)
		if (interrupted_by_stops[i] == number && trap && call_again(registers, trap, first))
			return write_registers(thread, registers);
	return false;
}

/* In the leaf: blocked or about to call means that the call is still to be made when the thread goes on. */
static enum verdict examine_leaf(struct thread *thread, const struct special *special, struct frame *frame, struct registers *registers)
{
	if (special->kind == SPECIAL_DONE && !call_will_restart(registers)) {
		if (!issue_again(thread, special, frame, registers))
			return CALL_IS_OVER;
		thread->pc = frame->pc = program_counter(registers);
		special = special_at(thread->process->space->index, thread->pc);
	}
	return unwind(thread, special->row, frame, IN_CALL);
}

void examine(struct thread *thread)
{
	const struct index *index = thread->process->space->index;
	struct registers registers;
	struct frame frame;
	thread->verdict = UNSEEN;
	thread->site = NULL;
	if (!read_registers(thread, &registers))
		return;
	dwarf_registers(&registers, frame.registers);
	thread->pc = thread->culprit = frame.pc = program_counter(&registers);
	const struct special *special = special_at(index, frame.pc);
	if (special && special->kind <= SPECIAL_DONE) {
		thread->verdict = examine_leaf(thread, special, &frame, &registers);
	} else if (may_stop_at(index, frame.pc)) {
		thread->site = site_at(index, frame.pc);
		thread->verdict = unwind(thread, thread->site->row, &frame, AT_SITE);
	} else {
		thread->verdict = NOT_A_SITE;
	}
	if (thread->process->borrows && is_accepted(thread))
		thread->verdict = BORROWS_MEMORY;
}
