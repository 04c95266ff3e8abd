/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Device and inode numbers of a job's files, which its programs go on seeing when the files are copied: transproc/identity.h. */
#ifndef TOOL_FILES_H
#define TOOL_FILES_H

#include "base.h"

/*
 * Writes what programs see of the files and directories below `directory` to the file `list`: for each a path, major and minor device
 * number and inode number, ended by NUL characters, and an empty path at the end. `moves`: of the job so far. 0 or -errno.
 */
long list_files(const char *directory, const char *list, uint64_t moves);

/*
 * Gives the copies in `directory` the identities of the list, which comes from another machine: nothing beyond the directory is touched.
 * Returns for how many that was refused, or -errno; -EINVAL: the list is damaged.
 */
long name_files(const char *directory, const char *list);

/* Opens a path (O_PATH) if it is below the directory, and leads over no links; openat2(2). A descriptor or -errno. */
long open_below(int directory, const char *path);

/* Removes from `directory` the names that criu has given to files without (its --link-remap) since the list was written, if it was. */
void remove_links(const char *directory, const char *list);

/*
 * Removes the directories that criu has made for processes that have no /proc, where they work, to find their own there; it does so when it
 * is done, and if it was killed it would fail on what is left. The tree stands.
 */
void remove_mount_points(int pid);

/* Whether a process has a /proc. (criu makes the directory also where that is another PID namespace's, which no job has.) */
bool has_proc(int pid);

/* Tells programs that will execute the same file how often the job has moved. 0 or -errno. */
long note_moves(int pid, uint64_t moves);

#endif
