/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// What the runtimes of both ISAs have in common: <isa>.S begin with it.
#include "functions.h"

// struct transproc_record
#define RECORD_OUTER 8
#define RECORD_RESULT 32
#define RECORD_BASE 64
#define RECORD_SLOTS 80

// offsetof(struct pthread, cancel), checked in pthread_cancel.c
#define PTHREAD_CANCEL 44

// Not zero while somebody wants to stop threads: loops look here (llvm/lib/Polls.cpp). Whoever plants
// breakpoints plants a 1 here with them, which is why it lies in the text.
	BEGIN __transproc_poll, object
	.long 0
	.size __transproc_poll, 4
