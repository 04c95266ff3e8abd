// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builtins that have a meaning on every ISA, but whose usual code has not: see Prepare.h.
#include "transproc/Prepare.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;

namespace transproc {

const uint64_t JumpBufferSize = 312; // sizeof(jmp_buf): bits/setjmp.h, a flag, and a signal mask of 128 bytes

static AllocaInst *createInEntry(Function &F, Type *T, const char *Name) {
  IRBuilder<> B(&F.getEntryBlock(), F.getEntryBlock().begin());
  AllocaInst *Object = B.CreateAlloca(T, nullptr, Name);
  Object->setAlignment(Align(16));
  return Object;
}

static void replaceBy(CallInst *Call, Value *V) {
  if (!Call->getType()->isVoidTy())
    Call->replaceAllUsesWith(V);
  Call->eraseFromParent();
}

// __builtin_setjmp(void *buffer[5]): the buffer is too small for what a migration needs, so it gets the address of a real one, in the
// frame to which the jump goes back and which it cannot outlive.
static void lowerSetjmp(CallInst *Call) {
  Function &F = *Call->getFunction();
  IRBuilder<> B(Call);
  AllocaInst *Buffer = createInEntry(F, ArrayType::get(B.getInt8Ty(), JumpBufferSize), "jump.buffer");
  B.CreateStore(Buffer, Call->getArgOperand(0));
  CallInst *New =
      B.CreateCall(F.getParent()->getOrInsertFunction("_setjmp", FunctionType::get(B.getInt32Ty(), {B.getPtrTy()}, false)), {Buffer});
  New->addFnAttr(Attribute::ReturnsTwice);
  replaceBy(Call, New);
}

static void lowerLongjmp(CallInst *Call) {
  IRBuilder<> B(Call);
  Type *Types[] = {B.getPtrTy(), B.getInt32Ty()};
  FunctionCallee Jump =
      Call->getModule()->getOrInsertFunction("_longjmp", FunctionType::get(B.getVoidTy(), Types, false));
  CallInst *New = B.CreateCall(Jump, {B.CreateLoad(B.getPtrTy(), Call->getArgOperand(0)), B.getInt32(1)});
  New->setDoesNotReturn();
  replaceBy(Call, New);
}

static bool isBuiltin(const CallInst &Call, StringRef Name) {
  const Function *Callee = Call.getCalledFunction();
  return Callee && Callee->getName() == Name && Call.arg_size() == 1;
}

// Assembly that is left (RefusePass) is a barrier: its text is at most a comment, for which back ends would need an assembler.
static void removeComment(CallInst *Call) {
  auto *Asm = dyn_cast<InlineAsm>(Call->getCalledOperand());
  if (Asm && !StringRef(Asm->getAsmString()).empty())
    Call->setCalledOperand(InlineAsm::get(Asm->getFunctionType(), "", Asm->getConstraintString(), Asm->hasSideEffects(),
                                          Asm->isAlignStack(), Asm->getDialect(), Asm->canThrow()));
}

void lowerBuiltins(Module &M) {
  for (Function &F : M) {
    AllocaInst *Frame = nullptr;
    for (Instruction &I : make_early_inc_range(instructions(F))) {
      auto *Call = dyn_cast<CallInst>(&I);
      if (!Call)
        continue;
      removeComment(Call);
      if (Call->getIntrinsicID() == Intrinsic::frameaddress) { // an object of the frame: it keeps its address
        if (!Frame)
          Frame = createInEntry(F, Type::getInt8Ty(M.getContext()), "frame.address");
        replaceBy(Call, Frame);
      } else if (Call->getIntrinsicID() == Intrinsic::annotation) {
        replaceBy(Call, Call->getArgOperand(0));
      } else if (isBuiltin(*Call, "__transproc_builtin_setjmp")) {
        lowerSetjmp(Call);
      } else if (isBuiltin(*Call, "__transproc_builtin_longjmp")) {
        lowerLongjmp(Call);
      }
    }
  }
}

} // namespace transproc
