/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The commands and their options. Each, but attach, hand, room, look and peers, prints one JSON object and returns the exit status. */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

#include "answer.h"
#include "session.h"
#include "supervise.h"

struct options {
	struct launch launch;
	const char *list, *clocks, *owed, *guard, *changed, *patched, *mappings, *attributes;
	int pid;
	bool pause, moved, eager, held, changing;
	uint64_t at, count, timeout, run, moves, offset, rows, columns;
};

int command_run(const struct options *options);
int command_pause(const struct options *options);
int command_dump(const struct options *options);
int command_restore(const struct options *options);
int command_resume(const struct options *options);
int command_kill(const struct options *options);
int command_status(const struct options *options);
int command_attach(const struct options *options);
int command_resize(const struct options *options);
int command_room(const struct options *options);
int command_look(const struct options *options);
int command_peers(const struct options *options);
int command_plug(const struct options *options);
int command_probe(const struct options *options);
int command_hand(const struct options *options);
int command_sparse(const struct options *options);
int command_inventory(const struct options *options);
int command_changes(const struct options *options);
int command_remove(const struct options *options);
int command_blocks(const struct options *options);
int command_patch(const struct options *options);
int command_lend(const struct options *options);
int command_borrow(const struct options *options);
int command_copy(const struct options *options);
int command_hold(const struct options *options);
int command_give(const struct options *options);
int command_take(const struct options *options);
int command_link(const struct options *options);
int command_pack(const struct options *options);
int command_unpack(const struct options *options);

/* What `status` answers of a process and its tree (tree_of), and its exit status. */
int print_answer(struct text *out, int pid, const struct numbers *tree);
/* A tree as JSON: its processes with their threads. */
void print_tree(struct text *out, const struct numbers *tree);
/* That of a program, from its supervisor; false, with the failure reported. */
bool find_terminal(const struct options *options, int pid, struct terminal *terminal);
/* Ends the group stops of a tree; 0, or -errno with the failure reported. */
long continue_tree(const struct numbers *tree);
/* Removes the names that a dump has given to files, if it has. */
void remove_names(const struct options *options);

#endif
