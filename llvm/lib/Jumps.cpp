// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/Jumps.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/IRBuilder.h"

using namespace llvm;

namespace transproc {

// The runtime's entry for a function that fills a jump buffer; empty for other functions.
static StringRef notingEntry(const CallBase &Call) {
  auto *Callee = dyn_cast<Function>(Call.getCalledOperand());
  if (!Callee || !isa<CallInst>(Call) || !Call.getType()->isIntegerTy(32))
    return "";
  StringRef Entry = StringSwitch<StringRef>(Callee->getName())
                        .Cases("setjmp", "_setjmp", "__setjmp", "__transproc_setjmp")
                        .Cases("sigsetjmp", "__sigsetjmp", "__transproc_sigsetjmp")
                        .Default("");
  return Call.arg_size() == (Entry == "__transproc_setjmp" ? 1 : 2) ? Entry : "";
}

bool isJump(const CallBase &Call) { return Call.hasFnAttr(Attribute::ReturnsTwice) && !notingEntry(Call).empty(); }

AllocaInst *createJumpMark(Function &F) {
  IRBuilder<> B(&F.getEntryBlock().front());
  AllocaInst *Mark = B.CreateAlloca(B.getInt64Ty(), nullptr, "jump.mark");
  BasicBlock::iterator First = F.getEntryBlock().begin();
  while (isa<AllocaInst>(First))
    ++First;
  B.SetInsertPoint(First);
  B.CreateStore(B.getInt64(0), Mark, /*isVolatile=*/true); // longjmp reads it
  return Mark;
}

CallInst *noteJump(CallInst *Call, AllocaInst *Mark, uint64_t Id) {
  IRBuilder<> B(Call);
  SmallVector<Value *, 4> Args(Call->args());
  Args.push_back(Mark);
  Args.push_back(B.getInt64(Id));
  SmallVector<Type *, 4> Types;
  for (Value *A : Args)
    Types.push_back(A->getType());
  FunctionCallee Entry = Call->getModule()->getOrInsertFunction(notingEntry(*Call), FunctionType::get(B.getInt32Ty(), Types, false));
  CallInst *New = B.CreateCall(Entry, Args);
  New->addFnAttr(Attribute::ReturnsTwice);
  New->addFnAttr(Attribute::NoUnwind);
  New->copyMetadata(*Call, {LLVMContext::MD_dbg});
  New->takeName(Call);
  Call->replaceAllUsesWith(New);
  Call->eraseFromParent();
  return New;
}

} // namespace transproc
