/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A job's own /dev/shm, where POSIX shared memory and semaphores have their names: the directory data/shm/all of the job, which moves with its
 * other files, also what nobody has open just then. Programs see it by a mount namespace of their own, as they have one of System V's IPC.
 */
#ifndef TOOL_SHARED_H
#define TOOL_SHARED_H

#include "base.h"

/*
 * In who becomes a program (`fresh`), or restores one, for the job in the directory `state`. Where that is not possible the program has the
 * node's /dev/shm, and no such directory. -errno if it had one of its own already, and something is in it.
 */
long make_shared(const char *state, bool fresh);

/*
 * The same for a restore that begins before the job's files are there: now a mount namespace, and then, where the directory has come, its
 * place. -errno where that is not possible, or it has not.
 */
long isolate_ahead(void);
long provide_shared(const char *state);

/* Enters a program's mount namespace, if that is another one than ours: criu finds its files there. 0 or -errno. */
long enter_shared(int pid);

/* The directory that a program of a job (`program`: its path) has as its /dev/shm; NULL if it has the node's. */
const char *shared_of(int pid, const char *program);

#endif
