// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls at the end of a function, which become jumps, as in the program without sites: their frame is gone while the callee runs, on both
// ISAs. So they are no sites, but in resume entries, whose frames must stay to hand on the result.
//
// Both back ends must make a jump of it. They do where all arguments are scalars in registers, the callee's result is the caller's, and the
// caller has no stack objects (X86TargetLowering and AArch64TargetLowering, IsEligibleForTailCallOptimization). tools/Emit.cpp makes sure.
#include "transproc/Steps.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

namespace transproc {
namespace {

// Arguments that fit into registers on both ISAs: x86_64 has six for integers, both have eight for floating point.
constexpr unsigned MaxIntegers = 6, MaxFloats = 8;

bool isScalar(const Type *T) { return T->isPointerTy() || T->isFloatTy() || T->isDoubleTy() || (T->isIntegerTy() && T->getIntegerBitWidth() <= 64); }

bool isUsual(AttributeSet Attributes) {
  for (auto Kind : {Attribute::ByVal, Attribute::StructRet, Attribute::InReg, Attribute::Nest, Attribute::SwiftSelf, Attribute::SwiftError,
                    Attribute::SwiftAsync, Attribute::InAlloca, Attribute::Preallocated})
    if (Attributes.hasAttribute(Kind))
      return false;
  return true;
}

bool isUsual(CallingConv::ID Convention) { return Convention == CallingConv::C || Convention == CallingConv::Fast; }

bool mayEndInJumps(const Function &F) {
  if (F.isVarArg() || !isUsual(F.getCallingConv()) || F.hasFnAttribute("disable-tail-calls") || F.hasFnAttribute("stackrealign") ||
      F.hasFnAttribute(Attribute::StackAlignment))
    return false;
  for (const Argument &A : F.args())
    if (!isUsual(F.getAttributes().getParamAttrs(A.getArgNo())))
      return false;
  return none_of(instructions(F), [](const Instruction &I) {
    auto *Call = dyn_cast<CallInst>(&I);
    return isa<AllocaInst>(I) || (Call && Call->hasFnAttr(Attribute::ReturnsTwice));
  });
}

bool takesRegisters(const CallInst &Call) {
  unsigned Integers = 0, Floats = 0;
  for (unsigned I = 0; I < Call.arg_size(); ++I) {
    const Type *T = Call.getArgOperand(I)->getType();
    if (!isScalar(T) || !isUsual(Call.getAttributes().getParamAttrs(I)))
      return false;
    ++(T->isFloatingPointTy() ? Floats : Integers);
  }
  return Integers <= MaxIntegers && Floats <= MaxFloats;
}

bool sameExtension(AttributeSet A, AttributeSet B) {
  return A.hasAttribute(Attribute::ZExt) == B.hasAttribute(Attribute::ZExt) && A.hasAttribute(Attribute::SExt) == B.hasAttribute(Attribute::SExt);
}

// What a call of this kind could become, if it stood at the end.
bool isJumpable(const CallInst &Call) {
  if (isPoint(&Call) || Call.isInlineAsm() || isa<IntrinsicInst>(Call) || Call.isNoTailCall() || Call.isMustTailCall() || Call.hasOperandBundles() ||
      Call.getFunctionType()->isVarArg() || !isUsual(Call.getCallingConv()) || !takesRegisters(Call))
    return false;
  auto *Callee = dyn_cast<GlobalValue>(Call.getCalledOperand()->stripPointerCasts());
  if (Callee && Callee->hasExternalWeakLinkage())
    return false;
  const Function &F = *Call.getFunction();
  if (F.getReturnType()->isVoidTy())
    return Call.getType()->isVoidTy() || isScalar(Call.getType());
  return Call.getType() == F.getReturnType() && isScalar(Call.getType()) && isUsual(Call.getAttributes().getRetAttrs()) &&
         sameExtension(Call.getAttributes().getRetAttrs(), F.getAttributes().getRetAttrs());
}

const Instruction *next(const Instruction &I) { return I.getNextNonDebugInstruction(/*SkipPseudoOp=*/true); }

// Is BB nothing but the return of what comes from Before, the result of Call if there is one?
bool returnsResult(BasicBlock &BB, BasicBlock *Before, const CallInst &Call) {
  auto *Return = dyn_cast<ReturnInst>(BB.getFirstNonPHIOrDbg());
  if (!Return)
    return false;
  Value *Result = Return->getReturnValue();
  if (!Result)
    return Call.use_empty();
  if (auto *Phi = dyn_cast<PHINode>(Result); Phi && Phi->getParent() == &BB)
    Result = Phi->getIncomingValueForBlock(Before);
  return Result == &Call && Call.hasOneUse();
}

} // namespace

void giveTailCallsReturns(Function &F) {
  if (!mayEndInJumps(F))
    return;
  for (BasicBlock &BB : make_early_inc_range(F)) {
    auto *Branch = dyn_cast<BranchInst>(BB.getTerminator());
    auto *Call = Branch && Branch->isUnconditional() ? dyn_cast_or_null<CallInst>(Branch->getPrevNonDebugInstruction()) : nullptr;
    if (!Call || !isJumpable(*Call) || Branch->getSuccessor(0) == &BB || !returnsResult(*Branch->getSuccessor(0), &BB, *Call))
      continue;
    BasicBlock *End = Branch->getSuccessor(0);
    FoldReturnIntoUncondBranch(cast<ReturnInst>(End->getTerminator()), End, &BB);
  }
  removeUnreachableBlocks(F);
}

bool isTailCall(const CallInst &Call) {
  auto *Return = dyn_cast<ReturnInst>(next(Call));
  if (!Return || !isJumpable(Call))
    return false;
  const Value *Result = Return->getReturnValue();
  return Result ? Result == &Call && Call.hasOneUse() : Call.use_empty();
}

void findTailCalls(Function &F, SiteSet &Found) {
  if (!mayEndInJumps(F))
    return;
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallInst>(&I); Call && isTailCall(*Call))
      Found.insert(Call);
}

void makeTailCall(CallInst &Call) {
  Call.setTailCallKind(CallInst::TCK_Tail);
  Function &F = *Call.getFunction();
  StringRef Known = F.getFnAttribute(TailCallees).getValueAsString();
  auto *Callee = dyn_cast<GlobalValue>(Call.getCalledOperand()->stripPointerCasts());
  F.addFnAttr(TailCallees, (Known + "," + (Callee ? Callee->getName() : "")).str());
}

} // namespace transproc
