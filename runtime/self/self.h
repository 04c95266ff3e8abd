/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * transproc-self: runs a program that transproc-cc linked, as it is, and migrates its threads onto themselves, in one process
 * of one ISA: a thread that meets a breakpoint at an equivalence point has its stack read by the site index, overwritten,
 * and resumed from records by the program's own resume entries (docs/format.md, sections 3 to 6).
 */
#ifndef SELF_H
#define SELF_H

#include "context.h"
#include "index.h"

enum { RECENT = 8, MESSAGE = 96 };

/* What the caller reads afterwards: a shared mapping of a file. transproc/process/selfmove.py knows it as "<8s4QQ96s8Q". */
struct report {
	char magic[8]; /* "TPSELF01" */
	uint64_t migrations, frames, values, refused;
	uint64_t culprit;      /* pc of a frame without site, at the last refusal */
	char message[MESSAGE]; /* why nothing can be migrated */
	uint64_t recent[RECENT]; /* where the last migrations were; the newest at (migrations - 1) % RECENT */
};
_Static_assert(sizeof(struct report) == 8 + 5 * 8 + MESSAGE + 8 * RECENT, "selfmove.py");

extern struct index *program_index;
extern struct report *report;

/* load.c: maps the program at its addresses; returns its entry. Ends the process if that fails. */
uint64_t load_program(int fd, const char *path, long *stack);
_Noreturn void give_up(const char *message);

enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_RESTART = 0x10000000, SA_NODEFER = 0x40000000 };
enum { SA_RESETHAND = 0x80000000u };

/* main.c: no breakpoint is there from the one to the other. */
void hold_still(void);
void go_on(void);
/* SIGTRAP comes to us, with more flags of sigaction(2). */
void catch_traps(uint64_t flags);

/* signals.c: from here on SIGTRAP stays ours. `entries`: of the program's functions that `detour_of` names. */
void take_system_calls(const uint64_t entries[DETOURS]);
/* A SIGTRAP that is not ours goes to the program's handler, if there is one; else false. */
bool give_to_program(int signal, const uint32_t *info, struct context *context);

/* move.c: turns the stopped thread into one that starts in the resume loop; false if its stack is not wholly described. */
bool move_thread(struct context *stopped, const struct site *site);

#endif
