// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/ResumeClone.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace transproc {

static Function *declareResume(Function &F) {
  LLVMContext &Context = F.getContext();
  auto *T = FunctionType::get(Type::getVoidTy(Context), {PointerType::getUnqual(Context)}, false);
  Function *Resume = Function::Create(T, GlobalValue::InternalLinkage, F.getAddressSpace(), F.getName() + ".resume", F.getParent());
  Resume->setComdat(F.getComdat());
  if (F.hasPersonalityFn())
    Resume->setPersonalityFn(F.getPersonalityFn());
  Resume->setIsNewDbgInfoFormat(F.IsNewDbgInfoFormat);
  Resume->setAttributes(AttributeList::get(Context, F.getAttributes().getFnAttrs(), AttributeSet(), {}));
  for (auto Kind : {Attribute::Memory, Attribute::AlwaysInline, Attribute::InlineHint, Attribute::Hot,
                    Attribute::AllocSize, Attribute::AllocKind, Attribute::NoReturn, Attribute::WillReturn})
    Resume->removeFnAttr(Kind);
  Resume->addFnAttr(Attribute::NoInline);
  Resume->setSection((".text.resume." + F.getName()).str());
  Resume->getArg(0)->setName("record");
  return Resume;
}

ResumeClone::ResumeClone(Function &F, ArrayRef<Site> Sites)
    : F(F), Sites(Sites), B(F.getContext()), Clone(CloneFunction(&F, Map)), Resume(declareResume(F)),
      Entry(BasicBlock::Create(F.getContext(), "resume", Clone, &Clone->getEntryBlock())) {
  B.SetInsertPoint(Entry);
}

AllocaInst *ResumeClone::newSlot(Type *T, bool InMemory) {
  auto *Slot = new AllocaInst(T, 0, "", Entry->begin());
  Slots.push_back(Slot);
  if (!InMemory)
    Promoted.push_back(Slot);
  return Slot;
}

void ResumeClone::findLoops() {
  auto *Enter = BranchInst::Create(Entry->getNextNode(), Entry);
  DominatorTree DT(*Clone);
  Loops.analyze(DT);
  Enter->eraseFromParent();
}

bool ResumeClone::isUsedInLoop(const Value *V) const {
  return any_of(V->users(), [&](const User *U) { return Loops.getLoopFor(cast<Instruction>(U)->getParent()); });
}

void StackTokens::takeFresh() {
  SmallVector<IntrinsicInst *, 4> Restores;
  for (Instruction &I : instructions(*C.Clone))
    if (auto *Call = dyn_cast<IntrinsicInst>(&I); Call && Call->getIntrinsicID() == Intrinsic::stackrestore)
      Restores.push_back(Call);
  for (IntrinsicInst *Restore : Restores)
    Restore->setArgOperand(0, new LoadInst(C.B.getPtrTy(), slotOf(Restore->getArgOperand(0)), "", Restore->getIterator()));
}

// The slot of a token: isStackToken() holds, as whyPinned() makes sure.
AllocaInst *StackTokens::slotOf(Value *V) {
  if (AllocaInst *Known = SlotOf.lookup(V))
    return Known;
  AllocaInst *Slot = C.newSlot(C.B.getPtrTy());
  SlotOf[V] = Slot;
  if (auto *Phi = dyn_cast<PHINode>(V))
    new StoreInst(freshPhi(*Phi), Slot, Phi->getParent()->getFirstInsertionPt());
  else
    new StoreInst(V, Slot, std::next(cast<Instruction>(V)->getIterator()));
  return Slot;
}

// Chooses among the tokens in the slots as Phi does among those of the original frame.
PHINode *StackTokens::freshPhi(PHINode &Phi) {
  auto *Fresh = PHINode::Create(C.B.getPtrTy(), Phi.getNumIncomingValues(), "", Phi.getIterator());
  DenseMap<BasicBlock *, LoadInst *> Loads; // a block that comes several times must bring the same value
  for (unsigned I = 0; I < Phi.getNumIncomingValues(); ++I) {
    BasicBlock *From = Phi.getIncomingBlock(I);
    LoadInst *&Load = Loads[From];
    if (!Load)
      Load = new LoadInst(C.B.getPtrTy(), slotOf(Phi.getIncomingValue(I)), "", From->getTerminator()->getIterator());
    Fresh->addIncoming(Load, From);
  }
  return Fresh;
}

void StackTokens::renew(const Value *V) {
  if (AllocaInst *Slot = SlotOf.lookup(V))
    C.B.CreateStore(C.B.CreateIntrinsic(Intrinsic::stacksave, {C.B.getPtrTy()}, {}), Slot);
}

} // namespace transproc
