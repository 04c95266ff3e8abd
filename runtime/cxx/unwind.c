/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Exceptions: what C++ programs need of an unwinder (Itanium C++ ABI, Exception Handling, level 1), for stacks whose outer frames may be resume
 * records (docs/format.md, section 4, Exceptions).
 *
 * Below the resume loop there are no frames to unwind, but records. Whether one catches, and what its landing pad does, is asked of the code itself: its
 * resume entry, entered with THROWN in the record's site, calls __transproc_raise where the frame's call was, or returns if that call has
 * no landing pad. To ask, that frame's personality routine is called, and the frame given up; to unwind, the exception is raised from there anew.
 *
 * All of it is compiled without sites, and what it calls (frames.c): the stack does not change meanwhile. */
#include <unwind.h>
#include <transproc/args.h>
#include <transproc/record.h>
#include "frames.h"

#define THROWN 1 /* in a record's site */
#define IN_RECORD 1 /* in private_2, in place of a frame's CFA: with it the address of the record that catches */

typedef _Unwind_Reason_Code personality(int, _Unwind_Action, uint64_t, struct _Unwind_Exception *, struct _Unwind_Context *);

extern hidden const char __transproc_resume_return[];
hidden void __transproc_end(struct transproc_record *);
hidden _Noreturn void __transproc_enter(struct transproc_record *);
hidden _Noreturn void __transproc_land(const struct _Unwind_Context *);
hidden uint64_t __transproc_ask(struct transproc_record *, struct _Unwind_Context *);
_Noreturn void abort(void);

static int in_loop(const struct _Unwind_Context *c) { return c->pc == (uintptr_t)__transproc_resume_return; }

static _Unwind_Reason_Code ask(struct _Unwind_Context *c, _Unwind_Action action, struct _Unwind_Exception *e)
{
	if (!c->personality) return _URC_CONTINUE_UNWIND;
	return ((personality *)c->personality)(1, action, e->exception_class, e, c);
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

enum { PASSES, HAS_PAD, CATCHES };

/* What a record's frame does with the exception. */
static uint64_t ask_record(struct transproc_record *r, struct _Unwind_Exception *e)
{
	struct _Unwind_Context here;
	uint64_t site = r->site, result[2] = { r->result[0], r->result[1] };
	r->site |= THROWN;
	r->result[0] = (uintptr_t)e;
	r->result[1] = (uintptr_t)&here;
	uint64_t answer = __transproc_ask(r, &here);
	r->site = site;
	r->result[0] = result[0];
	r->result[1] = result[1];
	return answer;
}

/* The next record, from r outwards, that does at least `what`; 0: none. */
static struct transproc_record *find_record(struct transproc_record *r, struct _Unwind_Exception *e, uint64_t what)
{
	for (; r && r->enter != __transproc_end; r = r->outer)
		if (ask_record(r, e) >= what) return r;
	return 0;
}

static struct transproc_record *outer_of_loop(const struct _Unwind_Context *c)
{
	return ((struct transproc_record *)c->reg[__transproc_this_isa().record])->outer;
}

/* ---- the two phases ---------------------------------------------------------------------------------------------- */

static _Unwind_Reason_Code search(struct _Unwind_Context c, struct _Unwind_Exception *e)
{
	struct row row;
	e->private_1 = __transproc_args.moves;
	for (;;) {
		if (in_loop(&c)) {
			struct transproc_record *r = find_record(outer_of_loop(&c), e, CATCHES);
			e->private_2 = (uintptr_t)r | IN_RECORD;
			return r ? _URC_NO_REASON : _URC_END_OF_STACK;
		}
		if (!__transproc_look_up(&c, &row)) return _URC_END_OF_STACK;
		_Unwind_Reason_Code answer = ask(&c, _UA_SEARCH_PHASE, e);
		if (answer == _URC_HANDLER_FOUND) {
			e->private_2 = c.cfa;
			return _URC_NO_REASON;
		}
		if (answer != _URC_CONTINUE_UNWIND) return _URC_FATAL_PHASE1_ERROR;
		if (!__transproc_step(&c, &row)) return _URC_END_OF_STACK;
	}
}

static _Noreturn void unwind(struct _Unwind_Context *c, struct _Unwind_Exception *e)
{
	struct row row;
	for (;;) {
		if (in_loop(c)) {
			struct transproc_record *r = find_record(outer_of_loop(c), e, HAS_PAD);
			if (!r) abort();
			r->site |= THROWN;
			r->result[0] = (uintptr_t)e;
			r->result[1] = 0;
			__transproc_enter(r);
		}
		if (!__transproc_look_up(c, &row)) abort();
		_Unwind_Action action = _UA_CLEANUP_PHASE | (c->cfa == e->private_2 ? _UA_HANDLER_FRAME : 0);
		if (ask(c, action, e) == _URC_INSTALL_CONTEXT) __transproc_land(c);
		if (action & _UA_HANDLER_FRAME || !__transproc_step(c, &row)) abort();
	}
}

/* ---- entries; the assembly has filled the context with the caller's registers -------------------------------------- */

hidden _Unwind_Reason_Code __transproc_raise_exception(struct _Unwind_Exception *e, struct _Unwind_Context *c)
{
	_Unwind_Reason_Code found = search(*c, e);
	if (found == _URC_NO_REASON) unwind(c, e);
	return found;
}

/* Behind a cleanup. If the process has been moved in it, what the search has found means nothing any more. */
hidden _Noreturn void __transproc_unwind_resume(struct _Unwind_Exception *e, struct _Unwind_Context *c)
{
	if (e->private_1 != __transproc_args.moves && search(*c, e) != _URC_NO_REASON) abort();
	unwind(c, e);
}

/* From a resume entry, where the call was that has thrown. */
hidden _Noreturn void __transproc_raise_again(struct transproc_record *r, struct _Unwind_Context *c)
{
	struct _Unwind_Exception *e = (struct _Unwind_Exception *)r->result[0];
	struct _Unwind_Context *asking = (struct _Unwind_Context *)r->result[1];
	if (asking) {
		struct row row;
		_Unwind_Reason_Code answer = __transproc_look_up(c, &row) ? ask(c, _UA_SEARCH_PHASE, e) : _URC_CONTINUE_UNWIND;
		asking->argument[0] = answer == _URC_HANDLER_FOUND ? CATCHES : HAS_PAD;
		__transproc_land(asking);
	}
	/* Only the frame that catches has to know it: looking for the handler from each would take the square of their number. */
	int passes = e->private_1 == __transproc_args.moves && e->private_2 & IN_RECORD && e->private_2 != ((uintptr_t)r | IN_RECORD);
	if (!passes && search(*c, e) != _URC_NO_REASON) abort();
	unwind(c, e);
}

/* ---- what personality routines ask and say --------------------------------------------------------------------------- */

uintptr_t _Unwind_GetIP(struct _Unwind_Context *c) { return c->pc; }
void _Unwind_SetIP(struct _Unwind_Context *c, uintptr_t pc) { c->pc = pc; }
void *_Unwind_GetLanguageSpecificData(struct _Unwind_Context *c) { return (void *)c->lsda; }
uintptr_t _Unwind_GetRegionStart(struct _Unwind_Context *c) { return c->start; }
uintptr_t _Unwind_GetCFA(struct _Unwind_Context *c) { return c->cfa; }
uintptr_t _Unwind_GetGR(struct _Unwind_Context *c, int i) { return i >= 0 && i < REGISTERS ? c->reg[i] : 0; }
uintptr_t _Unwind_GetDataRelBase(struct _Unwind_Context *c) { return 0; }
uintptr_t _Unwind_GetTextRelBase(struct _Unwind_Context *c) { return 0; }

uintptr_t _Unwind_GetIPInfo(struct _Unwind_Context *c, int *before)
{
	*before = 0;
	return c->pc;
}

/* The registers of landing pads have the numbers of the neutral front end (4, 5) in code of ours, 0 and 1 in the compiler's own for an ISA. */
void _Unwind_SetGR(struct _Unwind_Context *c, int i, uintptr_t value) { c->argument[i & 1] = value; }
