/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What launch and restore have in common (supervise.h): a supervisor is started, reports through a pipe, provides what the program
 * stands in, and stays.
 */
#ifndef TOOL_SUPERVISOR_H
#define TOOL_SUPERVISOR_H

#include "supervise.h"

enum { AT_SUPERVISOR = 100 /* its descriptor of the state directory: the program's are below, while it becomes that */ };

/* What goes through the pipe from the supervisor (its start) and from the program before exec (its failure). */
struct report {
	int32_t pid, error, status, step;
};
enum step { STEP_SUPERVISOR, STEP_DIRECTORY, STEP_INPUT, STEP_OUTPUT, STEP_ERRORS, STEP_IPC, STEP_SHARED, STEP_TERMINAL, STEP_EXEC, STEP_PIDFILE, STEP_READ_PIDFILE,
	STEP_STATE, STEP_PIPES, STEP_DESCRIPTORS, STEP_LAYOUT, STEP_CRIU, STEP_KEY, STEP_USER, STEP_NETWORK, STEP_SECURED };

/* The one end: a report, and one that is the end of the process. */
void send(int fd, int pid, long error, int status, enum step step);
_Noreturn void fail(int report, long error, enum step step);
/* The other end. `hear`: the supervisor's first words; 0 or -errno, which is also what silence means: it has died. */
bool receive(int fd, struct report *report);
long hear(int fd, struct report *report);
struct outcome failed(long error, enum step step);

/* A process of its own session that nobody waits for: 1 in it, 0 in the caller, or -errno. */
long detach(void);
/* Opens the state directory and removes what an earlier life of the program has left there; or -errno. */
int open_state(const char *path);
long forget(int directory, const char *name);
/* Makes the file that will say how the program has ended, so that the end can be told on a disk that is full by then. */
long reserve_record(int state);
/* A terminal for the program of `how`, at its descriptors, if it wants one; 0 or -errno. */
long provide_terminal(const struct launch *how, struct terminal *terminal);
/* Opens the state directory for the user's group, to pass through. Until now nobody could meddle with what was put there. */
long let_through(const struct launch *how);
void null_streams(void);
void default_signals(void);
/* close_range(2) with CLOSE_RANGE_CLOEXEC, which kernels before 5.11 do not have. 0 or -errno. */
long keep_from_program(unsigned first, unsigned last);
void close_all(unsigned first, unsigned last);
/* The end is recorded before the process is reaped: until then its pid cannot come to life again, by a move back to this machine. */
_Noreturn void supervise(int state, int pid, const struct terminal *terminal, bool has_network);

#endif
