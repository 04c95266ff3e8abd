/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One connection, many programs: docs/format.md, "Session". `serve` reads requests from standard input and answers on standard output;
 * `channel` reads one request and becomes the connection of its program, whose streams are then the connection's.
 */
#ifndef TOOL_SERVE_H
#define TOOL_SERVE_H

#include "commands.h"

/* Until standard input ends; then its programs are ended. Returns the exit status. */
int command_serve(const struct options *options);

/* The exit status of the program, 128 + n if signal n killed it. */
int command_channel(const struct options *options);

#endif
