// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The resume entry: a clone of F that begins by switching on the record's site, loads the site's live values and the pending
// call's result, and goes on behind the site.
//
// Listed values are demoted to slots (allocas) in the clone, and the continuations store the record's values there. Of most slots mem2reg
// then builds phis. But those would be as many as sites × values, so a value that is listed often stays in memory: its slot is filled by a
// loop over a table (RestoreTable), and the lists of the clone's own sites name the slot. Stack objects stay where the original frame had
// them: their addresses come from the record.
#include "transproc/Carriers.h"
#include "transproc/Invokes.h"
#include "transproc/RestoreTable.h"
#include "transproc/ResumeVariables.h"
#include "transproc/Steps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"

using namespace llvm;

namespace transproc {
namespace {

class ResumeBuilder {
public:
  ResumeBuilder(Function &F, ArrayRef<Site> Sites, ArrayRef<AllocaInst *> Objects)
      : F(F), Sites(Sites), Objects(Objects), B(F.getContext()), Table(Sites.size()) {}

  Function *build(unsigned PromoteLimit) {
    Clone = CloneFunction(&F, Map);
    Variables.note(*Clone);
    createEntry();
    takeFreshStackTokens();
    splitContinuations();
    findLoops();
    takeObjects(PromoteLimit);
    chooseMemory(PromoteLimit);
    demoteListedValues();
    restoreHomes();
    dispatch();
    storeResults();
    checkRestored();
    moveBody();
    DominatorTree DT(*Resume);
    PromoteMemToReg(Promoted, DT);
    removeEmptyBlocks();
    return Resume;
  }

private:
  Value *mapped(const Value *V) const { return Map.lookup(V); }

  Value *field(uint64_t Offset) { return B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Resume->getArg(0), Offset); }

  AllocaInst *newSlot(Type *T, bool InMemory = false) {
    auto *Slot = new AllocaInst(T, 0, "", Entry->begin());
    Slots.push_back(Slot);
    if (!InMemory)
      Promoted.push_back(Slot);
    return Slot;
  }

  void createEntry() {
    auto *T = FunctionType::get(B.getVoidTy(), {B.getPtrTy()}, false);
    Resume = Function::Create(T, GlobalValue::InternalLinkage, F.getAddressSpace(), F.getName() + ".resume", F.getParent());
    Resume->setComdat(F.getComdat());
    if (F.hasPersonalityFn())
      Resume->setPersonalityFn(F.getPersonalityFn());
    Resume->setIsNewDbgInfoFormat(F.IsNewDbgInfoFormat);
    Resume->setAttributes(AttributeList::get(B.getContext(), F.getAttributes().getFnAttrs(), AttributeSet(), {}));
    for (auto Kind : {Attribute::Memory, Attribute::AlwaysInline, Attribute::InlineHint, Attribute::Hot,
                      Attribute::AllocSize, Attribute::AllocKind, Attribute::NoReturn, Attribute::WillReturn})
      Resume->removeFnAttr(Kind);
    Resume->addFnAttr(Attribute::NoInline);
    Resume->setSection((".text.resume." + F.getName()).str());
    Resume->getArg(0)->setName("record");
    Entry = BasicBlock::Create(B.getContext(), "resume", Clone, &Clone->getEntryBlock());
    B.SetInsertPoint(Entry);
  }

  // A stack pointer saved before the migration means nothing in the new frame: such a token is read from a slot that
  // the continuations fill with the frame's own.
  void takeFreshStackTokens() {
    SmallVector<IntrinsicInst *, 4> Restores;
    for (Instruction &I : instructions(*Clone))
      if (auto *C = dyn_cast<IntrinsicInst>(&I); C && C->getIntrinsicID() == Intrinsic::stackrestore)
        Restores.push_back(C);
    for (IntrinsicInst *Restore : Restores)
      Restore->setArgOperand(0, new LoadInst(B.getPtrTy(), tokenOf(Restore->getArgOperand(0)), "", Restore->getIterator()));
  }

  // The slot of a token: isStackToken() holds, as whyPinned() makes sure.
  AllocaInst *tokenOf(Value *V) {
    if (AllocaInst *Known = Tokens.lookup(V))
      return Known;
    AllocaInst *Token = newSlot(B.getPtrTy());
    Tokens[V] = Token;
    if (auto *Phi = dyn_cast<PHINode>(V))
      new StoreInst(freshPhi(*Phi), Token, Phi->getParent()->getFirstInsertionPt());
    else
      new StoreInst(V, Token, std::next(cast<Instruction>(V)->getIterator()));
    return Token;
  }

  // Chooses among the tokens in the slots as Phi does among those of the original frame.
  PHINode *freshPhi(PHINode &Phi) {
    auto *Fresh = PHINode::Create(B.getPtrTy(), Phi.getNumIncomingValues(), "", Phi.getIterator());
    DenseMap<BasicBlock *, LoadInst *> Loads; // a block that comes several times must bring the same value
    for (unsigned I = 0; I < Phi.getNumIncomingValues(); ++I) {
      BasicBlock *From = Phi.getIncomingBlock(I);
      LoadInst *&Load = Loads[From];
      if (!Load)
        Load = new LoadInst(B.getPtrTy(), tokenOf(Phi.getIncomingValue(I)), "", From->getTerminator()->getIterator());
      Fresh->addIncoming(Load, From);
    }
    return Fresh;
  }

  void splitContinuations() {
    for (const Site &S : Sites) {
      auto *Call = cast<Instruction>(mapped(S.Call));
      if (auto *Invoke = dyn_cast<InvokeInst>(Call))
        Continuations.push_back(splitNormalEdge(*Invoke));
      else
        Continuations.push_back(Call->getParent()->splitBasicBlock(std::next(Call->getIterator()), "continue"));
      Handlers.push_back(addRaise(Call));
    }
  }

  // Where an invoke goes on, behind a block of its own for what the call returned. separateInvokes() left no phis there.
  static BasicBlock *splitNormalEdge(InvokeInst &Invoke) {
    BasicBlock *Next = Invoke.getNormalDest();
    BasicBlock *Returned = BasicBlock::Create(Invoke.getContext(), "returned", Invoke.getFunction(), Next);
    BranchInst::Create(Next, Returned);
    Invoke.setNormalDest(Returned);
    return Next;
  }

  // An exception that comes to the frame when it has become a record (docs/format.md, section 4, Exceptions): the call is made to throw,
  // behind which its landing pad takes over. Null for a call without one.
  BasicBlock *addRaise(Instruction *Call) {
    auto *Invoke = dyn_cast<InvokeInst>(Call);
    if (!Invoke)
      return nullptr;
    IRBuilder<>::InsertPointGuard Keep(B);
    if (!Nowhere) {
      Nowhere = BasicBlock::Create(B.getContext(), "nowhere", Clone);
      new UnreachableInst(B.getContext(), Nowhere);
    }
    auto *Raise = BasicBlock::Create(B.getContext(), "raise", Clone);
    B.SetInsertPoint(Raise);
    FunctionCallee Callee = F.getParent()->getOrInsertFunction("__transproc_raise", FunctionType::get(B.getVoidTy(), {B.getPtrTy()}, false));
    B.CreateInvoke(Callee, Nowhere, Invoke->getUnwindDest(), {Resume->getArg(0)});
    return Raise;
  }

  LoadInst *objectAddress(unsigned I) {
    LLVMContext &C = B.getContext();
    Value *Place = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Array, 8 * I);
    LoadInst *Address = B.CreateAlignedLoad(B.getPtrTy(), Place, Align(8), Objects[I]->getName());
    Address->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(C, {}));
    Address->setMetadata(LLVMContext::MD_nonnull, MDNode::get(C, {}));
    auto *Alignment = B.getInt64(Objects[I]->getAlign().value());
    Address->setMetadata(LLVMContext::MD_align, MDNode::get(C, ConstantAsMetadata::get(Alignment)));
    return Address;
  }

  Value *addressOf(AllocaInst *Object) {
    LoadInst *Address = Addresses.lookup(Object);
    return Address ? Address : objectAddress(find(Objects, Object) - Objects.begin());
  }

  // The back end may have given objects whose lives do not overlap one place in F's frame. Here they are only addresses: what their types
  // say must not let an access to one pass an access to another.
  void forgetTypes() {
    for (Instruction &I : instructions(*Clone))
      I.setAAMetadata(AAMDNodes());
  }

  // In the clone as it is entered: at its own first block.
  void findLoops() {
    auto *Enter = BranchInst::Create(Entry->getNextNode(), Entry);
    DominatorTree DT(*Clone);
    Loops.analyze(DT);
    Enter->eraseFromParent();
  }

  bool isUsedInLoop(const Value *V) const {
    return any_of(V->users(), [&](const User *U) { return Loops.getLoopFor(cast<Instruction>(U)->getParent()); });
  }

  // Addresses are loaded once, if they are few or loops use them, else in each block that uses them: many values that live from the entry
  // to the end take the back ends the square of the time. The record lasts as long as the clone's frame.
  void takeObjects(unsigned Limit) {
    if (Objects.empty())
      return;
    forgetTypes();
    Array = B.CreateAlignedLoad(B.getPtrTy(), field(RecordObjects), Align(8), "objects");
    for (unsigned I = 0; I < Objects.size(); ++I) {
      auto *Own = cast<AllocaInst>(mapped(Objects[I]));
      for (User *U : make_early_inc_range(Own->users()))
        if (auto *C = dyn_cast<IntrinsicInst>(U); C && C->isLifetimeStartOrEnd())
          C->eraseFromParent();
      if (Objects.size() > Limit && !isUsedInLoop(Own))
        takeWhereUsed(*Own, I);
      else
        takeOnce(*Own, I);
      Own->eraseFromParent();
    }
  }

  void takeOnce(AllocaInst &Own, unsigned I) {
    LoadInst *Address = Addresses[Objects[I]] = objectAddress(I);
    for (DbgVariableRecord *Declare : findDVRDeclares(&Own))
      Variables.describeObject(*Declare, Address, Declare->getExpression());
    Own.replaceAllUsesWith(Address);
  }

  void takeWhereUsed(AllocaInst &Own, unsigned I) {
    for (DbgVariableRecord *Declare : findDVRDeclares(&Own)) {
      SmallVector<uint64_t, 4> Place;
      DIExpression::appendOffset(Place, 8 * I);
      Place.push_back(dwarf::DW_OP_deref);
      Variables.describeObject(*Declare, Array, DIExpression::prependOpcodes(Declare->getExpression(), Place));
    }
    IRBuilder<>::InsertPointGuard Keep(B);
    DenseMap<BasicBlock *, LoadInst *> Loads;
    for (Use &U : make_early_inc_range(Own.uses())) {
      auto *User = cast<Instruction>(U.getUser());
      auto *Phi = dyn_cast<PHINode>(User);
      BasicBlock *Where = Phi ? Phi->getIncomingBlock(U) : User->getParent();
      LoadInst *&Load = Loads[Where];
      if (!Load) {
        B.SetInsertPoint(Where, Where->getFirstInsertionPt());
        Load = objectAddress(I);
      }
      U.set(Load);
    }
  }

  // The continuations, and what can be reached from them: the rest of the clone is never entered.
  void findReachable() {
    SmallVector<BasicBlock *, 32> Waiting(Continuations.begin(), Continuations.end());
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
  void chooseMemory(unsigned PromoteLimit) {
    findReachable();
    AllInMemory = any_of(Sites, [](const Site &S) { return S.Jump; });
    bool Once = none_of(Loops, [&](const Loop *L) { return Reachable.contains(L->getHeader()); });
    if (Once && !Resume->hasOptSize())
      Resume->addFnAttr(Attribute::OptimizeNone);
    if (Once && !AllInMemory)
      shareResults();
    MapVector<Value *, unsigned> Listings;
    for (const Site &S : Sites) {
      for (Value *V : S.Live)
        ++Listings[mapped(V)];
      for (auto &[V, Home] : S.Homes)
        if (auto *I = dyn_cast<Instruction>(mapped(V)); I && Reachable.contains(I->getParent()))
          InMemory.insert(I); // else nothing is stored there but what is restored: no phis
    }
    for (auto &[V, Count] : Listings)
      if (Count > 1 && isTabled(V) && (Once || Count > PromoteLimit || !isUsedInLoop(V)))
        InMemory.insert(V);
  }

  // What calls return passes through one place in memory, which is filled from any record: no site needs a block for that.
  void shareResults() {
    for (auto [S, Continuation] : zip_equal(Sites, Continuations)) {
      if (!S.hasResult() || !isWord(S.Call->getType()))
        continue;
      if (!Result)
        Result = newSlot(B.getInt64Ty(), /*InMemory=*/true);
      auto *Call = cast<Instruction>(mapped(S.Call));
      auto *Taken = new LoadInst(Call->getType(), Result, "", Continuation->getFirstInsertionPt());
      Call->replaceAllUsesWith(Taken);
      new StoreInst(Call, Result, behind(*Call));
      Variables.replace(Call, Taken);
      Map[S.Call] = Taken;
      Shared.insert(S.Call);
    }
  }

  // Can a slot in memory have this value of a record by way of the table?
  bool isTabled(const Value *V) const { return isWord(V->getType()) && !Tokens.contains(V); }

  void demoteListedValues() {
    for (const Site &S : Sites) {
      for (Value *V : S.Live)
        demote(mapped(V));
      for (auto &[V, Home] : S.Homes)
        demote(mapped(V));
      if (S.hasResult() && !Shared.contains(S.Call))
        demote(mapped(S.Call));
    }
  }

  // A list that wants the word in a slot names the slot (docs/format.md, section 3).
  static bool isListed(const Use &U) {
    auto *Call = dyn_cast<CallBase>(U.getUser());
    return Call && Call->isBundleOperand(&U) && Call->getOperandBundleForOperand(U.getOperandNo()).getTagID() == LLVMContext::OB_deopt;
  }

  void demote(Value *V) {
    AllocaInst *&Slot = SlotOf[V];
    if (Slot)
      return;
    bool Stays = AllInMemory || InMemory.contains(V), Word = Stays && isTabled(V);
    Slot = newSlot(Word ? B.getInt64Ty() : V->getType(), Stays);
    if (Word)
      Table.add(Slot);
    Variables.describeSlot(V, Slot);
    SmallVector<Use *, 16> Uses;
    for (Use &U : V->uses())
      Uses.push_back(&U);
    auto *I = dyn_cast<Instruction>(V);
    DenseMap<BasicBlock *, LoadInst *> Loads; // no block has a continuation within
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
    if (I)
      new StoreInst(I, Slot, behind(*I));
  }

  // What has a home is there whenever it is live: no site needs to tell.
  void restoreHomes() {
    B.SetInsertPoint(Entry);
    SmallPtrSet<Value *, 16> Known;
    for (const Site &S : Sites)
      for (auto &[V, Home] : S.Homes)
        if (Known.insert(V).second)
          setSlot(V, B.CreateLoad(V->getType(), addressOf(Home)));
  }

  void dispatch() {
    BasicBlock *Bad = BasicBlock::Create(B.getContext(), "bad.site", Clone);
    B.SetInsertPoint(Entry);
    Value *Id = B.CreateAlignedLoad(B.getInt64Ty(), field(RecordSite), Align(8));
    Value *Own = B.CreateAnd(Id, IdMask);
    for (unsigned I = 0; I < Sites.size(); ++I)
      listWords(Sites[I], I);
    if (Result)
      B.CreateStore(B.CreateAlignedLoad(B.getInt64Ty(), field(RecordResult), Align(16)), Result);
    if (Table.isWorthwhile())
      Table.emit(B, *Resume, Own, Bad);
    SwitchInst *Switch = B.CreateSwitch(Own, Bad, Sites.size());
    Variables.insertBefore(*Switch);
    // An exception passes by: there is no landing pad for it.
    BasicBlock *Trap = BasicBlock::Create(B.getContext(), "trap", Clone), *Pass = BasicBlock::Create(B.getContext(), "pass", Clone);
    B.SetInsertPoint(Bad);
    B.CreateCondBr(B.CreateTrunc(Id, B.getInt1Ty()), Pass, Trap);
    B.SetInsertPoint(Pass);
    Passing = B.CreateRetVoid();
    B.SetInsertPoint(Trap);
    B.CreateIntrinsic(Intrinsic::trap, {}, {});
    B.CreateUnreachable();
    for (unsigned I = 0; I < Sites.size(); ++I) {
      addCase(*Switch, I, /*Thrown=*/false, Continuations[I]);
      if (BasicBlock *Raise = Handlers[I])
        addCase(*Switch, I, /*Thrown=*/true, Raise);
    }
  }

  void addCase(SwitchInst &Switch, unsigned I, bool Thrown, BasicBlock *Next) {
    BasicBlock *Case = BasicBlock::Create(B.getContext(), Thrown ? "thrown" : "site", Clone);
    B.SetInsertPoint(Case);
    loadSite(Sites[I], Thrown);
    B.CreateBr(Next);
    Switch.addCase(B.getInt64((Sites[I].Id & IdMask) | (Thrown ? ThrownBit : 0)), Case);
    if (Table.isWorthwhile())
      Restored[Case] = I;
  }

  // Which of a record's narrow words have slots in memory. What is no word of its own may be several, or wide: no site says how many.
  void listWords(const Site &S, unsigned Number) {
    unsigned Narrow = 0;
    for (Value *V : S.Live) {
      if (AllocaInst *Slot = SlotOf[mapped(V)]; Table.has(Slot))
        Table.restore(Number, Narrow, Slot);
      Narrow += narrowWords(V->getType());
    }
  }

  static uint64_t headerOf(const Site &S) {
    Value *Header = S.Call->getOperandBundle(LLVMContext::OB_deopt)->Inputs[0].get();
    return cast<ConstantInt>(Header)->getZExtValue();
  }

  void loadSite(const Site &S, bool Thrown = false) {
    CarrierReader Reader(B, Resume->getArg(0), S.Jump ? 0 : headerNarrow(headerOf(S)));
    for (Value *V : S.Live)
      if (Table.isWorthwhile() && Table.has(SlotOf[mapped(V)]))
        Reader.skipWord();
      else
        setSlot(V, Reader.read(V->getType()));
    if (S.hasResult() && !Thrown && !Shared.contains(S.Call))
      B.CreateStore(B.CreateAlignedLoad(S.Call->getType(), field(RecordResult), Align(16)), SlotOf[mapped(S.Call)]);
  }

  void setSlot(Value *V, Value *Is) {
    B.CreateStore(Is, SlotOf[mapped(V)]);
    if (AllocaInst *Token = Tokens.lookup(mapped(V)))
      B.CreateStore(B.CreateIntrinsic(Intrinsic::stacksave, {B.getPtrTy()}, {}), Token);
  }

  // Where F returns a value, the resume entry stores it as the result of the caller's pending call.
  void storeResults() {
    for (BasicBlock &BB : *Clone) {
      auto *Return = dyn_cast<ReturnInst>(BB.getTerminator());
      if (!Return || Return == Passing)
        continue;
      B.SetInsertPoint(Return);
      if (Value *Result = Return->getReturnValue()) {
        Value *Outer = B.CreateAlignedLoad(B.getPtrTy(), field(RecordOuter), Align(8));
        B.CreateAlignedStore(Result, B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Outer, RecordResult), Align(16));
      }
      B.CreateRetVoid();
      Return->eraseFromParent();
    }
  }

  void moveBody() {
    EliminateUnreachableBlocks(*Clone);
    for (Argument &A : Clone->args()) {
      if (!A.use_empty())
        unrestored(&A);
      A.replaceAllUsesWith(PoisonValue::get(A.getType())); // of debug records
    }
    Resume->splice(Resume->begin(), Clone);
    Resume->setSubprogram(Clone->getSubprogram());
    Clone->setSubprogram(nullptr);
    Clone->eraseFromParent();
  }

  // Other values than these are computed by the clone before it uses them, or LLVM's verifier finds it.
  void checkRestored() {
    AllocaInst *Unset = findUnsetSlot(*Clone, Slots, [&](const BasicBlock &BB) {
      auto It = Restored.find(&BB);
      return It == Restored.end() ? SmallVector<AllocaInst *, 0>() : Table.slotsOf(It->second);
    });
    if (!Unset)
      return;
    for (auto &[V, Slot] : SlotOf)
      if (Slot == Unset)
        unrestored(V);
    report_fatal_error("a stack pointer is read in " + Resume->getName() + ", but not restored", false);
  }

  [[noreturn]] void unrestored(const Value *V) const {
    std::string Text;
    raw_string_ostream(Text) << *V;
    report_fatal_error("transproc-sites: a value of " + F.getName() + " is used behind a site, but not listed there: " + Text, false);
  }

  // The table may have done all there is to do at a site, and behind it F may do nothing before a join. An invoke keeps its own normal
  // destination: its result is taken there.
  void removeEmptyBlocks() {
    for (BasicBlock &BB : make_early_inc_range(drop_begin(*Resume))) {
      auto *Branch = dyn_cast<BranchInst>(&*BB.getFirstNonPHIOrDbg());
      bool Empty = Branch && Branch->isUnconditional() && !BB.hasAddressTaken();
      if (Empty && none_of(predecessors(&BB), [](const BasicBlock *From) { return isa<InvokeInst>(From->getTerminator()); }))
        TryToSimplifyUncondBranchFromEmptyBlock(&BB);
    }
  }

  Function &F;
  ArrayRef<Site> Sites;
  ArrayRef<AllocaInst *> Objects;
  IRBuilder<> B;
  ValueToValueMapTy Map; // F to Clone
  Function *Clone = nullptr, *Resume = nullptr;
  BasicBlock *Entry = nullptr;
  SmallVector<BasicBlock *, 16> Continuations;
  SmallVector<BasicBlock *, 16> Handlers; // of each site: where an exception is raised anew; null
  BasicBlock *Nowhere = nullptr;
  ReturnInst *Passing = nullptr;
  RestoreTable Table;
  DenseMap<BasicBlock *, unsigned> Restored; // blocks that the table has been applied for: of which site
  SmallPtrSet<BasicBlock *, 32> Reachable;
  SmallPtrSet<Value *, 32> InMemory; // listed values whose slots stay
  bool AllInMemory = false;
  SmallPtrSet<CallBase *, 16> Shared; // sites whose results pass through Result
  AllocaInst *Result = nullptr;
  SmallVector<AllocaInst *, 32> Slots, Promoted;
  DenseMap<Value *, AllocaInst *> SlotOf;
  DenseMap<Value *, AllocaInst *> Tokens;      // llvm.stacksave: slot with the token to restore
  ResumeVariables Variables;
  DenseMap<AllocaInst *, LoadInst *> Addresses; // object of F: its address in the clone, if that is taken once
  Value *Array = nullptr;                      // of their addresses
  LoopInfo Loops;                              // of the clone
};

} // namespace

Function *makeResumeEntry(Function &F, ArrayRef<Site> Sites, ArrayRef<AllocaInst *> Objects, unsigned PromoteLimit) {
  return ResumeBuilder(F, Sites, Objects).build(PromoteLimit);
}

} // namespace transproc
