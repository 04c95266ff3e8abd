/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a command says in the end: one JSON object. */
#ifndef TOOL_ANSWER_H
#define TOOL_ANSWER_H

#include "base.h"

/* Prints an answer; the exit status: `status`, or 1 if the answer cannot be given. */
int report(struct text *out, int status);
/* Appends {"ok": false, ...}. */
void print_failure(struct text *out, const char *error, const char *message);
/* Prints {"ok": true} and returns 0. */
int report_success(void);
/* Prints {"ok": false, ...} and returns 1. */
int report_failure(const char *error, const char *message);

#endif
