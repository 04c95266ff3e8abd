/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * criu, started ahead: what it takes to load it passes while the program still runs.
 *
 * It is given its standard input as a configuration file (criu(8), --config), reads it before all else, and so waits for it. There it finds
 * the option without which it can do nothing: `tree` for a dump, `images-dir` for a restore. If whoever has started
 * it is killed, that stream ends, and criu for want of it.
 */
#ifndef TOOL_AHEAD_H
#define TOOL_AHEAD_H

#include "base.h"

struct ahead {
	int pid;
	int configuration; /* its standard input */
};

/* fork(2), with the child's standard input led to us: in the child that is its only descriptor of it. The child's pid, 0 in it, or -errno. */
long begin_ahead(struct ahead *ahead);
/* The words of a criu that reads its standard input as its configuration. */
char **configured(char *const *argv);
/*
 * What criu is to read comes on our own standard input; false if nothing does: who has begun this has given up. A newline on standard error
 * says when criu has loaded: a program that stood before would wait for that, where there are few processors.
 */
bool await_configuration(const struct ahead *ahead, struct text *configuration);
/* 0 or -errno, as when it has been killed; whoever calls does not heed SIGPIPE. */
long configure(struct ahead *ahead, const struct text *configuration);
/*
 * It is killed while it reads. Once its input had ended it would first look what the kernel can do, by a child (in criu, kerndat.c) that sleeps
 * for ever if nobody is left who kills it.
 */
void give_up(struct ahead *ahead);

#endif
