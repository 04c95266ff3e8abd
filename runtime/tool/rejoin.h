/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The standard streams of who holds memory that goes ahead (hold.c): the connection that they belong to may be lost, and that of another process, which was
 * started for the same directory, takes its place.
 */
#ifndef TOOL_REJOIN_H
#define TOOL_REJOIN_H

#include "base.h"

enum { KEPT = 60000 /* ms from the loss of a connection: what is held is memory of a program, and nobody may come any more */ };

/* To who holds for this directory already: it has our streams from now on, and we its end, as a status. -1 if there is nobody. */
int give_streams(void);

/* From now on others may give us theirs. False if there can be no socket. */
bool expect_streams(void);

/* The next bytes that come. False if the streams are lost, or others are there: then what came of these bytes counts for nothing. */
bool receive_bytes(void *to, size_t size);
bool send_bytes(const void *from, size_t size);
/* Waits until `receive_bytes` has something to do, or somebody comes to `listener`: whether that is so. */
bool await_bytes(int listener);

bool are_streams_lost(void);
/* Waits for others; false if none come in time, somebody comes to `listener`, or the directory is gone, with the socket `name` in it. */
bool regain_streams(int listener, const char *name);
/* Tells our end to whose streams we have. */
int end_streams(int status);

#endif
