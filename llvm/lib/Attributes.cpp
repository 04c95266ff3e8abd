// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Small preparations: see Prepare.h.
#include "transproc/Prepare.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;

namespace transproc {

static void removeModuleFlag(Module &M, StringRef Name) {
  NamedMDNode *Flags = M.getModuleFlagsMetadata();
  if (!Flags)
    return;
  SmallVector<MDNode *, 8> Kept;
  for (MDNode *Flag : Flags->operands())
    if (auto *Key = dyn_cast<MDString>(Flag->getOperand(1)); !Key || Key->getString() != Name)
      Kept.push_back(Flag);
  Flags->clearOperands();
  for (MDNode *Flag : Kept)
    Flags->addOperand(Flag);
}

void removeTargetAttributes(Module &M) {
  // Jump tables lie in each ISA's own part of the address space, so the front end need not avoid them.
  for (Function &F : M)
    for (const char *Name : {"target-cpu", "target-features", "tune-cpu", "target-abi", "no-jump-tables"})
      F.removeFnAttr(Name);
  for (const char *Name : {"target-abi", "SmallDataLimit", "Code Model", "frame-pointer", "uwtable"})
    removeModuleFlag(M, Name);
  if (GlobalVariable *Annotations = M.getNamedGlobal("llvm.global.annotations"))
    Annotations->eraseFromParent();
}

void dropMemoryAttributes(Module &M, function_ref<bool(const CallBase &)> MayReach) {
  SmallPtrSet<Function *, 16> Reaching;
  for (Function &F : M)
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I); Call && MayReach(*Call)) {
        Call->removeFnAttr(Attribute::Memory);
        Reaching.insert(&F);
        if (Function *Callee = Call->getCalledFunction())
          Reaching.insert(Callee);
      }
  for (Function *F : Reaching)
    F->removeFnAttr(Attribute::Memory);
}

static void copyByValArgument(CallInst &Call, unsigned I) {
  Type *T = Call.getParamByValType(I);
  uint64_t Size = Call.getDataLayout().getTypeAllocSize(T);
  Align A = std::max(Call.getParamAlign(I).valueOrOne(), Align(8));
  BasicBlock &Entry = Call.getFunction()->getEntryBlock();
  IRBuilder<> EB(&Entry, Entry.begin());
  AllocaInst *Copy = EB.CreateAlloca(T, nullptr, "byval");
  Copy->setAlignment(A);
  IRBuilder<> B(&Call);
  B.CreateLifetimeStart(Copy, B.getInt64(Size));
  B.CreateMemCpy(Copy, A, Call.getArgOperand(I), Call.getParamAlign(I), Size);
  Call.setArgOperand(I, Copy);
  Call.removeParamAttr(I, Attribute::ByVal);
  Call.setTailCall(false);
  IRBuilder<>(Call.getNextNode()).CreateLifetimeEnd(Copy, B.getInt64(Size));
}

void lowerByVal(Function &F) {
  for (Argument &A : F.args())
    if (A.hasByValAttr())
      F.removeParamAttr(A.getArgNo(), Attribute::ByVal);
  SmallVector<CallInst *, 8> Calls;
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallInst>(&I); Call && Call->hasByValArgument())
      Calls.push_back(Call);
  for (CallInst *Call : Calls)
    for (unsigned I = 0; I < Call->arg_size(); ++I)
      if (Call->isByValArgument(I))
        copyByValArgument(*Call, I);
}

void dropMarkers(Function &F) {
  for (Instruction &I : make_early_inc_range(instructions(F)))
    if (auto *Call = dyn_cast<IntrinsicInst>(&I))
      switch (Call->getIntrinsicID()) {
      case Intrinsic::assume:
      case Intrinsic::invariant_end:
      case Intrinsic::experimental_noalias_scope_decl: Call->eraseFromParent(); break;
      default: break;
      }
}

void copyToUses(Instruction &I, ArrayRef<Use *> Uses) {
  DenseMap<BasicBlock *, Instruction *> AtEndOf; // a phi's duplicate edges must get one value
  for (Use *U : Uses) {
    auto *User = cast<Instruction>(U->getUser());
    Instruction *Before = User, *Copy = nullptr;
    if (auto *Phi = dyn_cast<PHINode>(User)) {
      BasicBlock *From = Phi->getIncomingBlock(*U);
      Copy = AtEndOf.lookup(From);
      Before = From->getTerminator();
    }
    if (!Copy) {
      Copy = I.clone();
      Copy->insertBefore(Before->getIterator());
      if (isa<PHINode>(User))
        AtEndOf[Before->getParent()] = Copy;
    }
    U->set(Copy);
  }
}

void copyToUses(Instruction &I) {
  SmallVector<Use *, 16> Uses;
  for (Use &U : I.uses())
    Uses.push_back(&U);
  copyToUses(I, Uses);
  I.eraseFromParent();
}

void sinkThreadLocalAddresses(Function &F) {
  SmallVector<Instruction *, 8> Addresses;
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<IntrinsicInst>(&I))
      if (Call->getIntrinsicID() == Intrinsic::threadlocal_address)
        Addresses.push_back(Call);
  for (Instruction *I : Addresses)
    copyToUses(*I);
}

} // namespace transproc
