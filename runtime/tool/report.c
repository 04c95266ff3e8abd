/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Threads as JSON. */
#include "session.h"

static const char *const verdicts[] = {
	[UNSEEN] = "running",
	[AT_SITE] = "site",
	[IN_CALL] = "call",
	[NOT_A_SITE] = "elsewhere",
	[CALL_IS_OVER] = "leaving-call",
	[BORROWS_MEMORY] = "borrows-memory",
	[FRAME_UNKNOWN] = "unknown-frame",
	[STACK_UNREADABLE] = "unreadable-stack",
};

void print_place(struct text *out, const struct index *index, uint64_t pc)
{
	long offset;
	bool resume;
	const char *function = function_at(index, pc, &offset, &resume);
	const struct special *special = index ? special_at(index, pc) : NULL;
	if (special && special->kind <= SPECIAL_DONE)
		function = "__transproc_syscall";
	print(out, "\"pc\": %d, \"function\": %j, \"offset\": %d, \"resume\": %s", (long)pc, function, offset, resume ? "true" : "false");
}

static void print_thread(struct text *out, const struct thread *thread)
{
	const struct index *index = thread->process->space->index;
	print(out, "{\"pid\": %d, \"tid\": %d, \"state\": %j, ", (long)thread->process->pid, (long)thread->tid, verdicts[thread->verdict]);
	print_place(out, index, thread->pc);
	if (thread->site)
		print(out, ", \"site\": %d", (long)thread->site->id);
	if (thread->verdict == FRAME_UNKNOWN)
		print(out, ", \"return_address\": %d", (long)thread->culprit);
	print(out, ", \"depth\": %d}", thread->depth);
}

void print_threads(struct text *out, struct session *session, bool unaccepted_only)
{
	const char *separator = "";
	print(out, "[");
	for (struct thread *thread = session->threads; thread; thread = thread->next) {
		bool accepted = thread->verdict == AT_SITE || thread->verdict == IN_CALL;
		if (!is_live(thread) || (accepted && unaccepted_only))
			continue;
		print(out, "%s", separator);
		print_thread(out, thread);
		separator = ", ";
	}
	print(out, "]");
}
