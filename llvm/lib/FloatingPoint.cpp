// Results of floating-point arithmetic that are the same on every ISA: see Prepare.h.
#include "transproc/Prepare.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Operator.h"

using namespace llvm;

namespace transproc {

static Value *multiplyAndAdd(IRBuilder<> &B, IntrinsicInst &I) {
  Value *X = I.getArgOperand(0), *Y = I.getArgOperand(1), *Z = I.getArgOperand(2);
  if (!isa<ConstrainedFPIntrinsic>(I))
    return B.CreateFAddFMF(B.CreateFMulFMF(X, Y, &I), Z, &I);
  B.setIsFPConstrained(true); // #pragma STDC FENV_ACCESS: rounding mode and exceptions are observed
  return B.CreateFAdd(B.CreateFMul(X, Y), Z);
}

void separateMultiplyAdd(Module &M) {
  for (Function &F : M)
    for (Instruction &I : make_early_inc_range(instructions(F))) {
      auto *Call = dyn_cast<IntrinsicInst>(&I);
      if (!Call || (Call->getIntrinsicID() != Intrinsic::fmuladd &&
                    Call->getIntrinsicID() != Intrinsic::experimental_constrained_fmuladd))
        continue;
      IRBuilder<> B(Call);
      Call->replaceAllUsesWith(multiplyAndAdd(B, *Call));
      Call->eraseFromParent();
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

} // namespace transproc
