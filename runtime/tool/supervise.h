/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Starting and restoring programs under a supervisor that outlives the command and records how they end. */
#ifndef TOOL_SUPERVISE_H
#define TOOL_SUPERVISE_H

#include "network.h"
#include "terminal.h"

/*
 * Files of the state directory: `exit`, "status N" or "signal N", appears when the program has ended; `moved`, made by others
 * before they kill it, says that it lives on elsewhere: then nothing is recorded.
 */
#define EXIT_FILE "exit"
#define MOVED_FILE "moved"

/* Whom a program runs as. */
struct user {
	uint32_t uid, gid, groups[1024];
	size_t group_count;
};

struct launch {
	char **argv, **environment;
	const char *directory;             /* working directory */
	const char *state;                 /* state directory */
	const char *input, *output, *errors; /* NULL: /dev/null; output and errors are appended to */
	const char *pidfile;               /* launch: written, NULL: not; restore: read, written by criu */
	const char *terminal;              /* NULL, or the log of the program's terminal, which takes the place of the three streams */
	const char *key;                   /* of a terminal, see declare_terminal */
	struct window window;              /* launch: of the terminal */
	const struct user *user;           /* NULL: ours */
	const struct network *network;     /* NULL: this node's; launch: plugged in at once, restore: not yet */
	const char *borrowed;              /* restore: NULL, or the directory of those who bring the program its memory (borrow.h) */
	uint64_t deadline;                 /* restore: milliseconds that criu has, 0: any */
	bool ahead;                        /* criu is started at once, and waits for our standard input: see ahead.h. No terminal, no network */
};

struct outcome {
	int32_t pid;    /* of the program, or 0 */
	int32_t error;  /* errno of a failure before the program ran, or 0 */
	int32_t status; /* restore: criu's wait status */
	const char *step; /* what failed */
};

/*
 * Starts a program in a new session with only its three standard descriptors, under a supervisor. If `seize` is not NULL it is
 * called with the program's pid before exec, to attach to it. A program of another user's finds its streams and its terminal to be that
 * user's, whose group may from then on pass through the state directory.
 */
struct outcome launch(const struct launch *how, bool (*seize)(void *context, int pid), void *context);

/* Runs criu (argv), which must detach (`--restore-detached`) and write `pidfile`; supervises the restored root process. */
struct outcome restore(const struct launch *how);

/* execvp(3) with the program's environment, for criu and what may stand before it. Returns -errno. */
long execute(const struct launch *how);

#endif
