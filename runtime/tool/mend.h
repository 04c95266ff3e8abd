/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A tree that criu is to dump: what it was is written down before, so that it can be made that again when criu was killed with code of its
 * own in it. Between the two it is guarded (guard.h).
 */
#ifndef TOOL_MEND_H
#define TOOL_MEND_H

#include "base.h"

/*
 * Writes what a stopped tree is to a file: registers, signal masks, descriptors, mappings; and guards it. If such a file is there, the tree
 * is mended first. 0 or -errno; then nothing is guarded.
 */
long keep_tree(int pid, const char *path);

/*
 * Makes a stopped tree what it was when the file was written, if there is one, and removes that; it is not guarded any more, with or
 * without a file. 0 or -errno: it must not go on then.
 */
long mend_tree(int pid, const char *path);

#endif
