// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Interpreters whose loop is a switch: it becomes `goto *label[opcode]`, over labels for all values that the opcode can have, so that the
// loop needs to look nowhere whether somebody waits (ComputedGoto.cpp).
#include "transproc/Points.h"
#include "transproc/Steps.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"

using namespace llvm;

namespace transproc {
namespace {

// Cases from which on a switch in a loop is taken for an interpreter's.
constexpr unsigned MinCases = 32;

// As wide as an opcode: 256 labels are two kilobytes.
constexpr unsigned MaxOpcodeBits = 8;

bool isDispatch(const SwitchInst &Switch, const DominatorTree &DT, const LoopInfo &LI) {
  const Loop *L = LI.getLoopFor(Switch.getParent());
  return L && isOnEveryWayBack(Switch.getParent(), *L, DT);
}

void convert(SwitchInst &Switch, unsigned Bits) {
  IRBuilder<> B(&Switch);
  BasicBlock *BB = Switch.getParent(), *Default = Switch.getDefaultDest();
  DenseMap<uint64_t, BasicBlock *> Labels;
  for (auto &Case : Switch.cases())
    if (uint64_t Number = Case.getCaseValue()->getLimitedValue(); Number < 1u << Bits)
      Labels[Number] = Case.getCaseSuccessor();
    else // one edge less
      Case.getCaseSuccessor()->removePredecessor(BB, /*KeepOneInputPHIs=*/true);
  BasicBlock *Nowhere = BasicBlock::Create(B.getContext(), "switch.unreachable", BB->getParent());
  new UnreachableInst(B.getContext(), Nowhere);
  SwitchInst *Dispatch = B.CreateSwitch(B.CreateZExtOrTrunc(Switch.getCondition(), B.getInt64Ty()), Nowhere, 1u << Bits);
  for (uint64_t Number = 0; Number < 1u << Bits; ++Number) {
    BasicBlock *Label = Labels.lookup(Number);
    Dispatch->addCase(B.getInt64(Number), Label ? Label : Default);
    if (!Label) // one more edge
      for (PHINode &Phi : Default->phis())
        Phi.addIncoming(Phi.getIncomingValueForBlock(BB), BB);
  }
  Default->removePredecessor(BB, /*KeepOneInputPHIs=*/true); // the switch's own edge
  Dispatch->setMetadata(DispatchMark, MDNode::get(B.getContext(), {}));
  Switch.eraseFromParent();
}

} // namespace

void makeDispatches(Function &F) {
  SmallVector<SwitchInst *, 4> Large;
  for (BasicBlock &BB : F)
    if (auto *Switch = dyn_cast_or_null<SwitchInst>(BB.getTerminator()); Switch && Switch->getNumCases() >= MinCases)
      Large.push_back(Switch);
  if (Large.empty())
    return;
  DominatorTree DT(F);
  LoopInfo LI(DT);
  for (SwitchInst *Switch : Large) {
    unsigned Bits = computeKnownBits(Switch->getCondition(), F.getDataLayout()).countMaxActiveBits();
    if (Bits <= MaxOpcodeBits && isDispatch(*Switch, DT, LI))
      convert(*Switch, Bits);
  }
}

} // namespace transproc
