/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Calls of setjmp. Their continuations are entered a second time by longjmp: after a migration through the resume entry
// (docs/format.md, section 4). Such a call is a site at which no thread can be stopped.
#ifndef TRANSPROC_JUMPS_H
#define TRANSPROC_JUMPS_H

#include "transproc/Site.h"

namespace transproc {

// Does the call return a second time by longjmp?
bool isJump(const llvm::CallBase &Call);

// The place that names this activation of F in its jump buffers, and counts how often longjmp has resumed it.
llvm::AllocaInst *createJumpMark(llvm::Function &F);

// The call of the runtime's entry that also notes Mark and the site's id in the buffer; erases Call.
llvm::CallInst *noteJump(llvm::CallInst *Call, llvm::AllocaInst *Mark, uint64_t Id);

} // namespace transproc
#endif
