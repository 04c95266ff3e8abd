/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * criu's descriptors outlive criu.
 *
 * A killed process closes its descriptors before it lets go of what it traces (kernel/exit.c, do_exit). The code that criu has put into a
 * program would see its connection end, and leave by itself: the program would run for a moment, and then be given registers of before
 * (mend.h). So a child of criu shares its table of descriptors, made before criu's first instruction. It is in a ptrace stop, never
 * executes anything, and is ended when criu has let go. Who watches it for that traces nothing else, and may be killed at any moment.
 */
#ifndef TOOL_ANCHOR_H
#define TOOL_ANCHOR_H

/* For the program that we are about to become (execve(2)). Without the right to trace: as it is, and nothing outlives it. */
void anchor_descriptors(void);

#endif
