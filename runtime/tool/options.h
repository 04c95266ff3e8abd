/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Options of sockets that criu does not carry over: see attributes.h. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include "proc.h"

/* A line for each that is not what a new socket has; sockets that several processes have are listed once. */
void list_options(struct text *out, const struct numbers *tree);
/* `values`: those behind the word "option", `bytes`: its last word. */
bool set_option(int pid, const uint64_t *values, const char *bytes);

#endif
