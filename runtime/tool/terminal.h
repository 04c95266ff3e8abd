/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The terminal of a program: a pseudo-terminal (pty(7)) whose controlling end its supervisor holds. All that the program prints there is
 * appended to a file, the log. Other commands borrow the controlling end from the supervisor (pidfd_getfd(2)).
 */
#ifndef TOOL_TERMINAL_H
#define TOOL_TERMINAL_H

#include "base.h"

struct terminal {
	int master, slave, log;
};

/* struct winsize (asm-generic/termios.h). */
struct window {
	uint16_t rows, columns, width, height;
};

/* A new terminal; what is printed is appended to `log`. 0 or -errno. */
long make_terminal(struct terminal *terminal, const char *log);

/* That of a program, from its supervisor. 0 or -errno; -ENOTTY: it has none. */
long borrow_terminal(struct terminal *terminal, int pid, const char *log);

/* Begins a session, makes the terminal its controlling one, and moves it to where it can be borrowed. 0 or -errno. */
long take_terminal(struct terminal *terminal);

/* Makes a process the leader of a group of its own, to which keys like Ctrl-C go (tcsetpgrp(3)); by the leader of the session. */
void put_in_front(const struct terminal *terminal, int pid);

/* Makes a group the one in front (tcsetpgrp(3)); by the leader of the session. */
void show_group(const struct terminal *terminal, int group);

/* Makes it standard input, output and errors. 0 or -errno. */
long stand_at_terminal(const struct terminal *terminal);

void resize_terminal(const struct terminal *terminal, struct window window);

/*
 * Appends what has been printed to the log: all that there is, so the program must be stopped. 0 or -errno: on a disk that stays full for a
 * second, what has been read by then is lost.
 */
[[nodiscard]] long log_output(const struct terminal *terminal);

/* Appends to the log, waiting while the disk is full, what is printed until the process `pid`, a child, has ended. */
void log_until_end(const struct terminal *terminal, int pid);

/*
 * Before criu dumps the stopped program: writes to the file `key` what criu calls its terminal and what was typed but not read yet, and
 * returns criu's arguments `argv` with the terminal declared as external; NULL if the file cannot be written.
 */
char **declare_terminal(const struct terminal *terminal, char **argv, const char *key);

/*
 * criu's arguments `argv`, so that it puts the terminal at the descriptors from FIRST_FOR_CRIU on in the place of the one in `key`; NULL
 * if that cannot be read or is damaged.
 */
char **inherit_terminal(char **argv, const char *key);
enum { FIRST_FOR_CRIU = 104, LAST_FOR_CRIU };

/*
 * After criu has restored the program, by the leader of the session: the group in front is the one of before, and what was typed at the old
 * terminal and not read yet is typed at this one. 0 or -EINVAL.
 */
[[nodiscard]] long restore_terminal(const struct terminal *terminal, const char *key);

/* Copies standard input to the terminal and the log, from a byte offset on, to standard output, until either end ends. 0 or -errno. */
long converse(const struct terminal *terminal, int supervisor, const char *log, uint64_t offset);

#endif
