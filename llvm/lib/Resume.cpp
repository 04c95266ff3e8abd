// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The resume entry: a clone of F that begins by switching on the record's site, loads the site's live values and the pending
// call's result, and goes on behind the site.
#include "transproc/Layout.h"
#include "transproc/ResumeValues.h"
#include "transproc/Steps.h"
#include "llvm/IR/Dominators.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"

using namespace llvm;

namespace transproc {
namespace {

class ResumeBuilder {
public:
  ResumeBuilder(Function &F, ArrayRef<Site> Sites, ArrayRef<AllocaInst *> Objects)
      : C(F, Sites), B(C.B), Tokens(C), Objects(C, Objects, Variables), Values(C, Tokens, Variables) {}

  Function *build(unsigned PromoteLimit) {
    Variables.note(*C.Clone);
    Tokens.takeFresh();
    splitContinuations();
    C.findLoops();
    Objects.take(PromoteLimit);
    Values.chooseMemory(Continuations, Handlers, PromoteLimit);
    Values.demoteListed();
    B.SetInsertPoint(C.Entry);
    Values.restoreHomes(Objects);
    dispatch();
    storeResults();
    checkRestored();
    moveBody();
    DominatorTree DT(*C.Resume);
    PromoteMemToReg(C.Promoted, DT);
    removeEmptyBlocks();
    keepLargeJoinsInMemory(*C.Resume);
    return C.Resume;
  }

private:
  BasicBlock *newBlock(const char *Name) { return BasicBlock::Create(B.getContext(), Name, C.Clone); }

  void splitContinuations() {
    for (const Site &S : C.Sites) {
      auto *Call = cast<Instruction>(C.mapped(S.Call));
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
      Nowhere = newBlock("nowhere");
      new UnreachableInst(B.getContext(), Nowhere);
    }
    BasicBlock *Raise = newBlock("raise");
    B.SetInsertPoint(Raise);
    auto *T = FunctionType::get(B.getVoidTy(), {B.getPtrTy()}, false);
    FunctionCallee Callee = C.F.getParent()->getOrInsertFunction("__transproc_raise", T);
    B.CreateInvoke(Callee, Nowhere, Invoke->getUnwindDest(), {C.Resume->getArg(0)});
    return Raise;
  }

  void dispatch() {
    BasicBlock *Bad = newBlock("bad.site");
    Value *Id = B.CreateAlignedLoad(B.getInt64Ty(), C.field(RecordSite), Align(8));
    Value *Own = B.CreateAnd(Id, IdMask);
    Values.restoreShared(Own, Bad);
    SwitchInst *Switch = B.CreateSwitch(Own, Bad, C.Sites.size());
    Variables.insertBefore(*Switch);
    leave(*Bad, Id);
    for (unsigned I = 0; I < C.Sites.size(); ++I) {
      addCase(*Switch, I, /*Thrown=*/false, Continuations[I]);
      if (BasicBlock *Raise = Handlers[I])
        addCase(*Switch, I, /*Thrown=*/true, Raise);
    }
  }

  // There is no such site; or an exception passes by, for which there is no landing pad.
  void leave(BasicBlock &Bad, Value *Id) {
    BasicBlock *Trap = newBlock("trap"), *Pass = newBlock("pass");
    B.SetInsertPoint(&Bad);
    B.CreateCondBr(B.CreateTrunc(Id, B.getInt1Ty()), Pass, Trap);
    B.SetInsertPoint(Pass);
    Passing = B.CreateRetVoid();
    B.SetInsertPoint(Trap);
    B.CreateIntrinsic(Intrinsic::trap, {}, {});
    B.CreateUnreachable();
  }

  void addCase(SwitchInst &Switch, unsigned I, bool Thrown, BasicBlock *Next) {
    BasicBlock *Case = newBlock(Thrown ? "thrown" : "site");
    B.SetInsertPoint(Case);
    Values.restoreSite(C.Sites[I], Thrown);
    B.CreateBr(Next);
    Switch.addCase(B.getInt64((C.Sites[I].Id & IdMask) | (Thrown ? ThrownBit : 0)), Case);
    SiteOf[Case] = I;
  }

  // Where F returns a value, the resume entry stores it as the result of the caller's pending call.
  void storeResults() {
    for (BasicBlock &BB : *C.Clone) {
      auto *Return = dyn_cast<ReturnInst>(BB.getTerminator());
      if (!Return || Return == Passing)
        continue;
      B.SetInsertPoint(Return);
      if (Value *Result = Return->getReturnValue()) {
        Value *Outer = B.CreateAlignedLoad(B.getPtrTy(), C.field(RecordOuter), Align(8));
        B.CreateAlignedStore(Result, B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Outer, RecordResult), Align(16));
      }
      B.CreateRetVoid();
      Return->eraseFromParent();
    }
  }

  // Other values than those in slots are computed by the clone before it uses them, or LLVM's verifier finds it.
  void checkRestored() {
    AllocaInst *Unset = findUnsetSlot(*C.Clone, C.Slots, [&](const BasicBlock &BB) {
      auto It = SiteOf.find(&BB);
      return It == SiteOf.end() ? SmallVector<AllocaInst *, 0>() : Values.sharedAt(It->second);
    });
    if (!Unset)
      return;
    if (const Value *V = Values.valueOf(Unset))
      unrestored(V);
    report_fatal_error("a stack pointer is read in " + C.Resume->getName() + ", but not restored", false);
  }

  [[noreturn]] void unrestored(const Value *V) const {
    std::string Text;
    raw_string_ostream(Text) << *V;
    report_fatal_error("transproc-sites: a value of " + C.F.getName() + " is used behind a site, but not listed there: " + Text, false);
  }

  void moveBody() {
    EliminateUnreachableBlocks(*C.Clone);
    for (Argument &A : C.Clone->args()) {
      if (!A.use_empty())
        unrestored(&A);
      A.replaceAllUsesWith(PoisonValue::get(A.getType())); // of debug records
    }
    C.Resume->splice(C.Resume->begin(), C.Clone);
    C.Resume->setSubprogram(C.Clone->getSubprogram());
    C.Clone->setSubprogram(nullptr);
    C.Clone->eraseFromParent();
  }

  // The table may have done all there is to do at a site, and behind it F may do nothing before a join. An invoke keeps its own normal
  // destination: its result is taken there.
  void removeEmptyBlocks() {
    for (BasicBlock &BB : make_early_inc_range(drop_begin(*C.Resume))) {
      auto *Branch = dyn_cast<BranchInst>(&*BB.getFirstNonPHIOrDbg());
      bool Empty = Branch && Branch->isUnconditional() && !BB.hasAddressTaken();
      if (Empty && none_of(predecessors(&BB), [](const BasicBlock *From) { return isa<InvokeInst>(From->getTerminator()); }))
        TryToSimplifyUncondBranchFromEmptyBlock(&BB);
    }
  }

  ResumeClone C;
  IRBuilder<> &B;
  ResumeVariables Variables;
  StackTokens Tokens;
  ResumeObjects Objects;
  ResumeValues Values;
  SmallVector<BasicBlock *, 16> Continuations;
  SmallVector<BasicBlock *, 16> Handlers; // of each site: where an exception is raised anew; null
  BasicBlock *Nowhere = nullptr;
  ReturnInst *Passing = nullptr;
  DenseMap<const BasicBlock *, unsigned> SiteOf; // of the blocks that the switch leads to
};

} // namespace

Function *makeResumeEntry(Function &F, ArrayRef<Site> Sites, ArrayRef<AllocaInst *> Objects, unsigned PromoteLimit) {
  return ResumeBuilder(F, Sites, Objects).build(PromoteLimit);
}

} // namespace transproc
