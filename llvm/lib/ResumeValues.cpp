// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/ResumeValues.h"
#include "transproc/Carriers.h"
#include "transproc/Invokes.h"
#include "transproc/Layout.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/CFG.h"

using namespace llvm;

namespace transproc {

// What can be reached from the continuations: the rest of the clone is never entered.
void ResumeValues::findReachable(ArrayRef<BasicBlock *> Continuations, ArrayRef<BasicBlock *> Handlers) {
  SmallVector<BasicBlock *, 32> Waiting(Continuations);
  for (BasicBlock *Handler : Handlers)
    if (Handler)
      Waiting.push_back(Handler);
  while (!Waiting.empty()) {
    BasicBlock *BB = Waiting.pop_back_val();
    if (Reachable.insert(BB).second)
      Waiting.append(succ_begin(BB), succ_end(BB));
  }
}

// What has no loop runs once, after a migration: the back ends' effort would be for nothing, and so would registers. Elsewhere values stay
// in memory that no loop uses, and those that would make too many phis, of which there is one behind each site. With setjmp all do:
// longjmp finds in memory what a value last was, whatever the joins made of registers.
void ResumeValues::chooseMemory(ArrayRef<BasicBlock *> Continuations, ArrayRef<BasicBlock *> Handlers, unsigned PromoteLimit) {
  findReachable(Continuations, Handlers);
  AllInMemory = any_of(C.Sites, [](const Site &S) { return S.Jump; });
  bool Once = none_of(C.Loops, [&](const Loop *L) { return Reachable.contains(L->getHeader()); });
  if (Once && !C.Resume->hasOptSize())
    C.Resume->addFnAttr(Attribute::OptimizeNone);
  if (Once && !AllInMemory)
    shareResults(Continuations);
  MapVector<Value *, unsigned> Listings;
  for (const Site &S : C.Sites) {
    for (Value *V : S.Live)
      ++Listings[C.mapped(V)];
    for (auto &[V, Home] : S.Homes)
      if (auto *I = dyn_cast<Instruction>(C.mapped(V)); I && Reachable.contains(I->getParent()))
        InMemory.insert(I); // else nothing is stored there but what is restored: no phis
  }
  for (auto &[V, Count] : Listings)
    if (Count > 1 && isTabled(V) && (Once || Count > PromoteLimit || !C.isUsedInLoop(V)))
      InMemory.insert(V);
}

// What calls return passes through one place in memory, which is filled from any record: no site needs a block for that.
void ResumeValues::shareResults(ArrayRef<BasicBlock *> Continuations) {
  for (auto [S, Continuation] : zip_equal(C.Sites, Continuations)) {
    if (!S.hasResult() || !isWord(S.Call->getType()))
      continue;
    if (!Result)
      Result = C.newSlot(C.B.getInt64Ty(), /*InMemory=*/true);
    auto *Call = cast<Instruction>(C.mapped(S.Call));
    auto *Taken = new LoadInst(Call->getType(), Result, "", Continuation->getFirstInsertionPt());
    Call->replaceAllUsesWith(Taken);
    new StoreInst(Call, Result, behind(*Call));
    Variables.replace(Call, Taken);
    C.Map[S.Call] = Taken;
    Shared.insert(S.Call);
  }
}

// Can a slot in memory have this value of a record by way of the table?
bool ResumeValues::isTabled(const Value *V) const { return isWord(V->getType()) && !Tokens.contains(V); }

void ResumeValues::demoteListed() {
  for (const Site &S : C.Sites) {
    for (Value *V : S.Live)
      demote(C.mapped(V));
    for (auto &[V, Home] : S.Homes)
      demote(C.mapped(V));
    if (S.hasResult() && !Shared.contains(S.Call))
      demote(C.mapped(S.Call));
  }
}

void ResumeValues::demote(Value *V) {
  AllocaInst *&Slot = SlotOf[V];
  if (Slot)
    return;
  bool Stays = AllInMemory || InMemory.contains(V), Word = Stays && isTabled(V);
  Slot = C.newSlot(Word ? C.B.getInt64Ty() : V->getType(), Stays);
  if (Word)
    Table.add(Slot);
  Variables.describeSlot(V, Slot);
  useSlot(V, Slot, Word);
  if (auto *I = dyn_cast<Instruction>(V))
    new StoreInst(I, Slot, behind(*I));
}

// A list that wants the word in a slot names the slot (docs/format.md, section 3).
static bool isListed(const Use &U) {
  auto *Call = dyn_cast<CallBase>(U.getUser());
  return Call && Call->isBundleOperand(&U) && Call->getOperandBundleForOperand(U.getOperandNo()).getTagID() == LLVMContext::OB_deopt;
}

// Other blocks than the value's own read the slot. No block has a continuation within.
void ResumeValues::useSlot(Value *V, AllocaInst *Slot, bool Word) {
  auto *I = dyn_cast<Instruction>(V);
  SmallVector<Use *, 16> Uses;
  for (Use &U : V->uses())
    Uses.push_back(&U);
  DenseMap<BasicBlock *, LoadInst *> Loads;
  for (Use *U : Uses) {
    auto *User = cast<Instruction>(U->getUser());
    auto *Phi = dyn_cast<PHINode>(User);
    BasicBlock *Where = Phi ? Phi->getIncomingBlock(*U) : User->getParent();
    if (Word && isListed(*U)) {
      U->set(Slot);
      continue;
    }
    if (I && I->getParent() == Where)
      continue;
    LoadInst *&Load = Loads[Where];
    if (!Load)
      Load = new LoadInst(V->getType(), Slot, "", Phi ? Where->getTerminator()->getIterator() : Where->getFirstInsertionPt());
    else if (!Phi)
      Load->moveBefore(*Where, Where->getFirstInsertionPt());
    U->set(Load);
  }
}

void ResumeValues::restoreHomes(ResumeObjects &Objects) {
  SmallPtrSet<Value *, 16> Known;
  for (const Site &S : C.Sites)
    for (auto &[V, Home] : S.Homes)
      if (Known.insert(V).second)
        setSlot(V, C.B.CreateLoad(V->getType(), Objects.addressOf(Home)));
}

void ResumeValues::restoreShared(Value *Own, BasicBlock *Bad) {
  for (unsigned I = 0; I < C.Sites.size(); ++I)
    listWords(C.Sites[I], I);
  if (Result)
    C.B.CreateStore(C.B.CreateAlignedLoad(C.B.getInt64Ty(), C.field(RecordResult), Align(16)), Result);
  if (Table.isWorthwhile())
    Table.emit(C.B, *C.Resume, Own, Bad);
}

// Which of a record's narrow words have slots in memory. What is no word of its own may be several, or wide: no site says how many.
void ResumeValues::listWords(const Site &S, unsigned Number) {
  unsigned Narrow = 0;
  for (Value *V : S.Live) {
    if (AllocaInst *Slot = SlotOf[C.mapped(V)]; Table.has(Slot))
      Table.restore(Number, Narrow, Slot);
    Narrow += narrowWords(V->getType());
  }
}

static uint64_t headerOf(const Site &S) {
  Value *Header = S.Call->getOperandBundle(LLVMContext::OB_deopt)->Inputs[0].get();
  return cast<ConstantInt>(Header)->getZExtValue();
}

void ResumeValues::restoreSite(const Site &S, bool Thrown) {
  CarrierReader Reader(C.B, C.Resume->getArg(0), S.Jump ? 0 : headerNarrow(headerOf(S)));
  for (Value *V : S.Live)
    if (Table.isWorthwhile() && Table.has(SlotOf[C.mapped(V)]))
      Reader.skipWord();
    else
      setSlot(V, Reader.read(V->getType()));
  if (S.hasResult() && !Thrown && !Shared.contains(S.Call))
    C.B.CreateStore(C.B.CreateAlignedLoad(S.Call->getType(), C.field(RecordResult), Align(16)), SlotOf[C.mapped(S.Call)]);
}

void ResumeValues::setSlot(const Value *V, Value *Is) {
  C.B.CreateStore(Is, SlotOf[C.mapped(V)]);
  Tokens.renew(C.mapped(V));
}

SmallVector<AllocaInst *, 0> ResumeValues::sharedAt(unsigned Site) const {
  return Table.isWorthwhile() ? Table.slotsOf(Site) : SmallVector<AllocaInst *, 0>();
}

const Value *ResumeValues::valueOf(const AllocaInst *Slot) const {
  for (auto &[V, Of] : SlotOf)
    if (Of == Slot)
      return V;
  return nullptr;
}

} // namespace transproc
