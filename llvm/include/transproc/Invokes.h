/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Calls that may throw into their own function (C++).
#ifndef TRANSPROC_INVOKES_H
#define TRANSPROC_INVOKES_H

#include "llvm/IR/Function.h"
#include "llvm/IR/Instructions.h"

namespace transproc {

// Where the value of I exists first: behind it, at the normal destination of an invoke (whose only way in it must be), or behind the
// phis of a block.
llvm::BasicBlock::iterator behind(llvm::Instruction &I);

// Gives each invoke a normal destination and a landing pad of its own, neither with phis: nothing is computed on its edges, and resume
// entries can go on at both.
void separateInvokes(llvm::Function &F);

// The selectors that personality routines hand to landing pads are numbers of one function of one ISA: its types in the order in which the
// back end meets them. They live on while destructors run, so landing pads translate them into numbers that the resume entry and the other ISA have
// too.
void numberSelectors(llvm::Function &F);

} // namespace transproc
#endif
