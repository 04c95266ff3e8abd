// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Results of floating-point arithmetic that are the same on every ISA: see Prepare.h.
#include "transproc/Passes.h"
#include "transproc/Prepare.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Operator.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

namespace transproc {

static Value *multiplyAndAdd(IRBuilder<> &B, IntrinsicInst &I) {
  Value *X = I.getArgOperand(0), *Y = I.getArgOperand(1), *Z = I.getArgOperand(2);
  if (!isa<ConstrainedFPIntrinsic>(I))
    return B.CreateFAddFMF(B.CreateFMulFMF(X, Y, &I), Z, &I);
  B.setIsFPConstrained(true); // #pragma STDC FENV_ACCESS: rounding mode and exceptions are observed
  return B.CreateFAdd(B.CreateFMul(X, Y), Z);
}

static bool isMultiplyAdd(const Instruction &I) {
  auto *Call = dyn_cast<IntrinsicInst>(&I);
  return Call && (Call->getIntrinsicID() == Intrinsic::fmuladd ||
                  Call->getIntrinsicID() == Intrinsic::experimental_constrained_fmuladd);
}

// x * y + z that a back end may round once or twice (-ffp-contract=on) is rounded twice: of the baselines aarch64 would fuse it, x86_64
// would not. Behind the optimiser, too, which takes the two for one as long as it can, as it does in clang: apart, products and sums are
// packed into vectors where that does not pay.
static void separateMultiplyAdd(Module &M) {
  for (Function &F : M)
    for (Instruction &I : make_early_inc_range(instructions(F)))
      if (isMultiplyAdd(I)) {
        IRBuilder<> B(&I);
        I.replaceAllUsesWith(multiplyAndAdd(B, cast<IntrinsicInst>(I)));
        I.eraseFromParent();
      }
}

// A product that is used for nothing but sums, so that fusing removes it.
static BinaryOperator *fusableProduct(Value *V) {
  auto *Product = dyn_cast<BinaryOperator>(V);
  bool Good = Product && Product->getOpcode() == Instruction::FMul && Product->hasAllowContract() && Product->hasOneUse();
  return Good ? Product : nullptr;
}

static Value *fused(IRBuilder<> &B, Instruction &I) {
  auto Fma = [&](Value *X, Value *Y, Value *Z) { return B.CreateIntrinsic(Intrinsic::fma, {I.getType()}, {X, Y, Z}, &I); };
  if (auto *Call = dyn_cast<IntrinsicInst>(&I))
    return Fma(Call->getArgOperand(0), Call->getArgOperand(1), Call->getArgOperand(2));
  bool Minus = I.getOpcode() == Instruction::FSub;
  if (BinaryOperator *P = fusableProduct(I.getOperand(0)))
    return Fma(P->getOperand(0), P->getOperand(1), Minus ? B.CreateFNeg(I.getOperand(1)) : I.getOperand(1));
  if (BinaryOperator *P = fusableProduct(I.getOperand(1)))
    return Fma(Minus ? B.CreateFNeg(P->getOperand(0)) : P->getOperand(0), P->getOperand(1), I.getOperand(0));
  return nullptr;
}

static bool isFusable(const Instruction &I) {
  if (auto *Call = dyn_cast<IntrinsicInst>(&I))
    return Call->getIntrinsicID() == Intrinsic::fmuladd;
  return (I.getOpcode() == Instruction::FAdd || I.getOpcode() == Instruction::FSub) && I.hasAllowContract();
}

void fuseMultiplyAdd(Module &M) {
  for (Function &F : M) {
    SmallVector<Instruction *, 16> Sums;
    for (Instruction &I : instructions(F))
      if (isFusable(I))
        Sums.push_back(&I);
    for (Instruction *I : Sums) {
      IRBuilder<> B(I);
      Value *Fused = fused(B, *I);
      if (!Fused)
        continue;
      SmallVector<Value *, 2> Operands(I->operands());
      I->replaceAllUsesWith(Fused);
      I->eraseFromParent();
      for (Value *Operand : Operands)
        RecursivelyDeleteTriviallyDeadInstructions(Operand);
    }
  }
}

void dropFastMath(Module &M) {
  for (Function &F : M) {
    for (const char *Name : {"unsafe-fp-math", "no-infs-fp-math", "no-nans-fp-math", "no-signed-zeros-fp-math",
                             "approx-func-fp-math"})
      F.removeFnAttr(Name);
    for (Instruction &I : instructions(F))
      if (isa<FPMathOperator>(I))
        I.copyFastMathFlags(FastMathFlags());
  }
}

PreservedAnalyses FloatingPointPass::run(Module &M, ModuleAnalysisManager &) {
  if (Fuse)
    fuseMultiplyAdd(M);
  else
    separateMultiplyAdd(M);
  dropFastMath(M);
  return PreservedAnalyses::none();
}

} // namespace transproc
