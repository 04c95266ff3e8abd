// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/Liveness.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/InstIterator.h"

using namespace llvm;

namespace transproc {

Liveness::Liveness(Function &F) : F(F) {
  for (Argument &A : F.args())
    add(&A);
  for (Instruction &I : instructions(F))
    add(&I);
  for (BasicBlock &BB : F)
    LiveIn[&BB].resize(Values.size());
  solve();
}

void Liveness::add(Value *V) {
  if (auto *A = dyn_cast<AllocaInst>(V); A && A->isStaticAlloca())
    return;
  Type *T = V->getType();
  if (T->isVoidTy() || T->isTokenTy() || T->isMetadataTy() || T->isLabelTy())
    return;
  Indices[V] = Values.size();
  Values.push_back(V);
}

int Liveness::index(const Value *V) const {
  auto It = Indices.find(V);
  return It == Indices.end() ? -1 : static_cast<int>(It->second);
}

void Liveness::transfer(const Instruction &I, BitVector &Live) const {
  if (int Own = index(&I); Own >= 0)
    Live.reset(Own);
  if (isa<PHINode>(I)) // its operands are live at the ends of the predecessors
    return;
  for (const Value *Operand : I.operands())
    if (int K = index(Operand); K >= 0)
      Live.set(K);
}

BitVector Liveness::liveOut(const BasicBlock &BB) const {
  BitVector Live(Values.size());
  for (const BasicBlock *Next : successors(&BB)) {
    Live |= LiveIn.find(Next)->second;
    for (const PHINode &Phi : Next->phis())
      if (int K = index(Phi.getIncomingValueForBlock(&BB)); K >= 0)
        Live.set(K);
  }
  return Live;
}

void Liveness::solve() {
  SmallVector<const BasicBlock *, 64> Work;
  SmallPtrSet<const BasicBlock *, 32> Queued;
  for (const BasicBlock &BB : F)
    if (Queued.insert(&BB).second)
      Work.push_back(&BB);
  while (!Work.empty()) {
    const BasicBlock *BB = Work.pop_back_val();
    Queued.erase(BB);
    BitVector Live = liveOut(*BB);
    for (const Instruction &I : reverse(*BB))
      transfer(I, Live);
    BitVector &Old = LiveIn[BB];
    if (Live == Old)
      continue;
    Old = std::move(Live);
    for (const BasicBlock *Previous : predecessors(BB))
      if (Queued.insert(Previous).second)
        Work.push_back(Previous);
  }
}

void Liveness::atSites(const SiteSet &Sites, Visitor Visit) const {
  for (BasicBlock &BB : F) {
    if (none_of(BB, [&](Instruction &I) { return Sites.contains(&I); }))
      continue;
    BitVector Live = liveOut(BB);
    for (Instruction &I : reverse(BB)) {
      if (Sites.contains(&I)) {
        BitVector After = Live;
        if (int Own = index(&I); Own >= 0)
          After.reset(Own);
        Visit(I, After);
      }
      transfer(I, Live);
    }
  }
}

} // namespace transproc
