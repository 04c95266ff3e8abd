// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/Invokes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"

using namespace llvm;

namespace transproc {

BasicBlock::iterator behind(Instruction &I) {
  if (isa<PHINode>(I))
    return I.getParent()->getFirstInsertionPt();
  if (auto *Invoke = dyn_cast<InvokeInst>(&I))
    return Invoke->getNormalDest()->getFirstInsertionPt();
  return std::next(I.getIterator());
}

static void separateNormalEdge(InvokeInst &Invoke) {
  BasicBlock *From = Invoke.getParent(), *Next = Invoke.getNormalDest();
  if (Next->getUniquePredecessor() == From) {
    FoldSingleEntryPHINodes(Next);
    return;
  }
  BasicBlock *Returned = BasicBlock::Create(Invoke.getContext(), "returned", Invoke.getFunction(), Next);
  BranchInst::Create(Next, Returned)->setDebugLoc(Invoke.getDebugLoc());
  Invoke.setNormalDest(Returned);
  Next->replacePhiUsesWith(From, Returned);
}

// Who came by an invoke to a landing pad that several share enters it by one of its own.
static void separateLandingPad(BasicBlock &Shared) {
  if (Shared.getUniquePredecessor()) {
    FoldSingleEntryPHINodes(&Shared);
    return;
  }
  LandingPadInst *Pad = Shared.getLandingPadInst();
  SmallVector<BasicBlock *, 8> Before(predecessors(&Shared));
  auto *Landed = PHINode::Create(Pad->getType(), Before.size(), "", Shared.begin());
  for (BasicBlock *From : Before) {
    BasicBlock *Own = BasicBlock::Create(Shared.getContext(), "landed", Shared.getParent(), &Shared);
    Instruction *Copy = Pad->clone();
    Copy->insertInto(Own, Own->end());
    BranchInst::Create(&Shared, Own)->setDebugLoc(Pad->getDebugLoc());
    cast<InvokeInst>(From->getTerminator())->setUnwindDest(Own);
    for (PHINode &Phi : Shared.phis())
      if (&Phi != Landed)
        Phi.replaceIncomingBlockWith(From, Own);
    Landed->addIncoming(Copy, Own);
  }
  Pad->replaceAllUsesWith(Landed);
  Pad->eraseFromParent();
}

void separateInvokes(Function &F) {
  SmallVector<InvokeInst *, 16> Invokes;
  SmallSetVector<BasicBlock *, 8> Pads;
  for (BasicBlock &BB : F)
    if (auto *Invoke = dyn_cast<InvokeInst>(BB.getTerminator())) {
      Invokes.push_back(Invoke);
      Pads.insert(Invoke->getUnwindDest());
    }
  for (InvokeInst *Invoke : Invokes)
    separateNormalEdge(*Invoke);
  for (BasicBlock *Pad : Pads)
    separateLandingPad(*Pad);
}

// The selector of each landing pad, and what remains of its aggregate, become translated ones.
static void translate(LandingPadInst &Pad, const MapVector<Value *, IntrinsicInst *> &Types) {
  SmallVector<Use *, 8> Uses;
  for (Use &U : Pad.uses()) {
    auto *Part = dyn_cast<ExtractValueInst>(U.getUser());
    if (!Part || Part->getIndices()[0] == 1)
      Uses.push_back(&U);
  }
  if (Uses.empty())
    return;
  IRBuilder<> B(&*Pad.getParent()->getFirstInsertionPt());
  Value *Native = B.CreateExtractValue(&Pad, 1);
  // Otherwise nothing is compared with it but 0, below which are those of exception specifications.
  Value *Number = B.CreateSelect(B.CreateICmpSLT(Native, B.getInt32(0)), B.getInt32(-1), B.getInt32(0));
  unsigned K = 0;
  for (auto &[Type, Id] : Types) {
    ++K;
    bool Caught = false;
    for (unsigned I = 0; I < Pad.getNumClauses(); ++I)
      Caught |= Pad.isCatch(I) && Pad.getClause(I)->stripPointerCasts() == Type;
    if (Caught)
      Number = B.CreateSelect(B.CreateICmpEQ(Native, B.CreateIntrinsic(Intrinsic::eh_typeid_for, {Type->getType()}, {Type})),
                              B.getInt32(K), Number);
  }
  Value *Whole = nullptr;
  SmallVector<Instruction *, 8> Replaced; // not erased yet: the builder inserts before one of them
  for (Use *U : Uses)
    if (auto *Part = dyn_cast<ExtractValueInst>(U->getUser())) {
      Part->replaceAllUsesWith(Number);
      Replaced.push_back(Part);
    } else {
      if (!Whole)
        Whole = B.CreateInsertValue(B.CreateInsertValue(PoisonValue::get(Pad.getType()), B.CreateExtractValue(&Pad, 0), 0), Number, 1);
      U->set(Whole);
    }
  for (Instruction *Part : Replaced)
    Part->eraseFromParent();
}

void numberSelectors(Function &F) {
  if (!F.hasPersonalityFn())
    return;
  MapVector<Value *, IntrinsicInst *> Types;
  SmallVector<IntrinsicInst *, 8> Ids;
  SmallVector<LandingPadInst *, 8> Pads;
  for (Instruction &I : instructions(F)) {
    if (auto *Call = dyn_cast<IntrinsicInst>(&I); Call && Call->getIntrinsicID() == Intrinsic::eh_typeid_for) {
      Ids.push_back(Call);
      Types.insert({Call->getArgOperand(0)->stripPointerCasts(), Call});
    }
    if (auto *Pad = dyn_cast<LandingPadInst>(&I))
      Pads.push_back(Pad);
  }
  for (LandingPadInst *Pad : Pads)
    translate(*Pad, Types);
  for (IntrinsicInst *Id : Ids) {
    auto It = Types.find(Id->getArgOperand(0)->stripPointerCasts());
    Id->replaceAllUsesWith(ConstantInt::get(Id->getType(), std::distance(Types.begin(), It) + 1));
    Id->eraseFromParent();
  }
}

} // namespace transproc
