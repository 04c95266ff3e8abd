// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// transproc-atomics: atomic arithmetic on floating-point numbers, as a loop around an exchange of integers. LLVM 19's aarch64 back end makes
// CMP_SWAP_64 of it, a pseudo instruction meant for unoptimised code: where its status is not used AArch64DeadRegisterDefinitions puts
// the zero register in its place, and the store that failed is not tried again. Behind the sites: the loop is short, and needs no point.
#include "transproc/Passes.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/LowerAtomic.h"

using namespace llvm;

namespace transproc {

static void exchange(AtomicRMWInst &I) {
  Type *T = I.getType();
  BasicBlock *Before = I.getParent(), *After = SplitBlock(Before, &I);
  BasicBlock *Loop = BasicBlock::Create(I.getContext(), "exchange", I.getFunction(), After);
  IRBuilder<> B(Before->getTerminator());
  B.SetCurrentDebugLocation(I.getDebugLoc());
  Type *Bits = B.getIntNTy(T->getPrimitiveSizeInBits().getFixedValue());
  LoadInst *First = B.CreateAlignedLoad(Bits, I.getPointerOperand(), I.getAlign());
  First->setAtomic(AtomicOrdering::Monotonic, I.getSyncScopeID());
  First->setVolatile(I.isVolatile());
  Before->getTerminator()->setSuccessor(0, Loop);

  B.SetInsertPoint(Loop);
  PHINode *Old = B.CreatePHI(Bits, 2);
  Value *Number = B.CreateBitCast(Old, T);
  Value *New = B.CreateBitCast(buildAtomicRMWValue(I.getOperation(), B, Number, I.getValOperand()), Bits);
  AtomicCmpXchgInst *Pair =
      B.CreateAtomicCmpXchg(I.getPointerOperand(), Old, New, I.getAlign(), I.getOrdering(),
                            AtomicCmpXchgInst::getStrongestFailureOrdering(I.getOrdering()), I.getSyncScopeID());
  Pair->setVolatile(I.isVolatile());
  Value *Found = B.CreateExtractValue(Pair, 0);
  B.CreateCondBr(B.CreateExtractValue(Pair, 1), After, Loop);
  Old->addIncoming(First, Before);
  Old->addIncoming(Found, Loop);
  I.replaceAllUsesWith(Number);
  I.eraseFromParent();
}

PreservedAnalyses AtomicsPass::run(Module &M, ModuleAnalysisManager &) {
  SmallVector<AtomicRMWInst *, 8> Found;
  for (Function &F : M)
    for (Instruction &I : instructions(F))
      if (auto *Atomic = dyn_cast<AtomicRMWInst>(&I); Atomic && Atomic->isFloatingPointOperation())
        Found.push_back(Atomic);
  for (AtomicRMWInst *I : Found)
    exchange(*I);
  return Found.empty() ? PreservedAnalyses::all() : PreservedAnalyses::none();
}

} // namespace transproc
