// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions with alloca() or variable-length arrays: what lies below the frame's fixed part must be kept, so each
// site lists the lowest live dynamic address.
#include "transproc/Steps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"

using namespace llvm;

namespace transproc {

void promoteStackTokens(Function &F) {
  SmallSetVector<AllocaInst *, 4> Variables;
  for (Instruction &I : instructions(F))
    if (auto *C = dyn_cast<IntrinsicInst>(&I); C && C->getIntrinsicID() == Intrinsic::stackrestore)
      if (auto *Load = dyn_cast<LoadInst>(C->getArgOperand(0)))
        if (auto *A = dyn_cast<AllocaInst>(Load->getPointerOperand()); A && isAllocaPromotable(A))
          Variables.insert(A);
  if (Variables.empty())
    return;
  DominatorTree DT(F);
  PromoteMemToReg(Variables.getArrayRef(), DT);
}

bool isStackToken(const Value *V) {
  SmallPtrSet<const Value *, 4> Seen;
  SmallVector<const Value *, 4> Work{V};
  while (!Work.empty()) {
    const Value *Next = Work.pop_back_val();
    if (!Seen.insert(Next).second)
      continue;
    if (auto *Phi = dyn_cast<PHINode>(Next))
      Work.append(Phi->op_begin(), Phi->op_end());
    else if (auto *Save = dyn_cast<IntrinsicInst>(Next); !Save || Save->getIntrinsicID() != Intrinsic::stacksave)
      return false;
  }
  return true;
}

SmallVector<Value *, 0> dynamicBottoms(Function &F, ArrayRef<Site> Sites) {
  SmallVector<AllocaInst *, 4> Dynamic;
  SmallVector<IntrinsicInst *, 4> Restores;
  for (Instruction &I : instructions(F)) {
    if (auto *A = dyn_cast<AllocaInst>(&I); A && !A->isStaticAlloca())
      Dynamic.push_back(A);
    if (auto *C = dyn_cast<IntrinsicInst>(&I); C && C->getIntrinsicID() == Intrinsic::stackrestore)
      Restores.push_back(C);
  }
  if (Dynamic.empty())
    return {};

  // a variable, which mem2reg then turns into the phis that are needed
  IRBuilder<> B(&*F.getEntryBlock().getFirstInsertionPt());
  AllocaInst *Bottom = B.CreateAlloca(B.getPtrTy(), nullptr, "dynamic.bottom");
  B.CreateStore(B.CreateIntrinsic(Intrinsic::stacksave, {B.getPtrTy()}, {}), Bottom);
  for (AllocaInst *A : Dynamic)
    new StoreInst(A, Bottom, std::next(A->getIterator()));
  for (IntrinsicInst *R : Restores)
    new StoreInst(R->getArgOperand(0), Bottom, std::next(R->getIterator()));

  // something that uses the variable's value at each site, and survives promotion
  SmallVector<FreezeInst *, 0> Uses;
  for (const Site &S : Sites) {
    B.SetInsertPoint(S.Call);
    Uses.push_back(new FreezeInst(B.CreateLoad(B.getPtrTy(), Bottom), "", S.Call->getIterator()));
  }
  DominatorTree DT(F);
  PromoteMemToReg({Bottom}, DT);
  SmallVector<Value *, 0> Values;
  for (FreezeInst *U : Uses) {
    Values.push_back(U->getOperand(0));
    U->eraseFromParent();
  }
  return Values;
}

} // namespace transproc
