// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Joins of very many paths: where hundreds of landing pads come together to go on as one, a phi has an operand for each, and the back ends'
// coalescer takes the square of their number. In a resume entry, which runs such code at most once, the value passes through memory.
#include "transproc/Steps.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

namespace transproc {

// Above so many LLVM's coalescer gives most of a value's copies up: its large-interval-size-threshold.
constexpr unsigned ManyPaths = 100;

// A value that its path's last instruction makes cannot be stored on that path.
static bool canBeStored(const PHINode &Phi) {
  for (unsigned I = 0; I < Phi.getNumIncomingValues(); I++)
    if (Phi.getIncomingValue(I) == Phi.getIncomingBlock(I)->getTerminator())
      return false;
  return true;
}

void keepLargeJoinsInMemory(Function &Resume) {
  SmallVector<PHINode *, 4> Large;
  for (BasicBlock &BB : Resume)
    for (PHINode &Phi : BB.phis())
      if (Phi.getNumIncomingValues() > ManyPaths && canBeStored(Phi))
        Large.push_back(&Phi);
  if (Large.empty())
    return;
  DominatorTree DT(Resume);
  LoopInfo Loops(DT);
  for (PHINode *Phi : Large)
    if (!Loops.getLoopFor(Phi->getParent()))
      DemotePHIToStack(Phi);
}

} // namespace transproc
