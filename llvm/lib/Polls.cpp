// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Points aside: a block on the way back that looks whether somebody waits, and the point in a block of its own, which is rarely visited.
//
//   head: ...   if (!__transproc_poll) goto head;               point: <site>; goto head;
//
// What the point lists costs the loop no registers then. An innermost loop counts instead of looking: a register is cheaper there than a load.
// An interpreter's loop does neither: there is a second way to each label, and who plants breakpoints makes the dispatch take it
// (ComputedGoto.cpp).
#include "transproc/Points.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"

using namespace llvm;

namespace transproc {
namespace {

class PollInserter {
public:
  PollInserter(Function &F, int64_t StripLength, function_ref<void(Instruction *)> InsertPoint)
      : F(F), DT(F), LI(DT), B(F.getContext()), StripLength(StripLength), InsertPoint(InsertPoint),
        Rarely(MDBuilder(F.getContext()).createBranchWeights(1, StripLength)) {}

  // On the back edge: loops of one iteration, as many are, do not count. So this point does not serve loops around this one.
  void count(BasicBlock *Head) {
    Loop *L = LI.getLoopFor(Head);
    AllocaInst *Counter = makeCounter(*L);
    BasicBlock *Latch = L->getLoopLatch();
    BasicBlock *Place = Latch ? SplitEdge(Latch, Head) : splitHead(Head);
    B.SetInsertPoint(Place->getTerminator());
    Value *Left = B.CreateSub(B.CreateLoad(B.getInt32Ty(), Counter), B.getInt32(1));
    B.CreateStore(Left, Counter);
    BasicBlock *Point = branchAside(B.CreateICmpEQ(Left, B.getInt32(0)));
    new StoreInst(B.getInt32(StripLength), Counter, Point->begin());
  }

  void lookOnBackEdge(BasicBlock *Head) { lookIn(SplitEdge(LI.getLoopFor(Head)->getLoopLatch(), Head)); }

  void look(BasicBlock *Head) { lookIn(splitHead(Head)); }

  // The word lies among the code; who plants breakpoints plants a 1 there (runtime/src/arch).
  void lookIn(BasicBlock *Place) {
    B.SetInsertPoint(Place->getTerminator());
    auto *Word = cast<GlobalVariable>(F.getParent()->getOrInsertGlobal("__transproc_poll", B.getInt32Ty()));
    Word->setVisibility(GlobalValue::HiddenVisibility);
    branchAside(B.CreateICmpNE(B.CreateLoad(B.getInt32Ty(), Word, /*isVolatile=*/true), B.getInt32(0)));
  }

  void addWay(SwitchInst *Dispatch, BasicBlock *Label) {
    BasicBlock *Point = makeWay(Dispatch->getParent(), Label);
    SmallVector<uint64_t, 4> Numbers;
    for (auto &Case : Dispatch->cases())
      if (Case.getCaseSuccessor() == Label)
        Numbers.push_back(Case.getCaseValue()->getZExtValue());
    for (uint64_t Number : Numbers)
      Dispatch->addCase(B.getInt64(Number | ByPoint), Point);
  }

  void finish() {
    DT.recalculate(F);
    PromoteMemToReg(Counters, DT);
  }

private:
  static BasicBlock *splitHead(BasicBlock *Head) {
    Head->splitBasicBlock(Head->getFirstInsertionPt(), "body");
    return Head;
  }

  // A variable of L, which mem2reg turns into the phis that are needed.
  AllocaInst *makeCounter(Loop &L) {
    BasicBlock &Entry = F.getEntryBlock();
    B.SetInsertPoint(&Entry, Entry.begin());
    AllocaInst *Counter = B.CreateAlloca(B.getInt32Ty(), nullptr, "countdown");
    for (BasicBlock *Before : predecessors(L.getHeader()))
      if (!L.contains(Before))
        new StoreInst(B.getInt32(StripLength), Counter, Before->getTerminator()->getIterator());
    Counters.push_back(Counter);
    return Counter;
  }

  // A block with a point, by which Next can be reached from its predecessor Before.
  BasicBlock *makeWay(BasicBlock *Before, BasicBlock *Next) {
    BasicBlock *Point = BasicBlock::Create(F.getContext(), "point", &F);
    for (PHINode &Phi : Next->phis())
      Phi.addIncoming(Phi.getIncomingValueForBlock(Before), Point);
    InsertPoint(BranchInst::Create(Next, Point));
    return Point;
  }

  // Makes the block at whose end we are, which has one successor, go there by way of a point if Condition holds. Returns the point's block.
  BasicBlock *branchAside(Value *Condition) {
    BasicBlock *Here = B.GetInsertBlock(), *Next = Here->getSingleSuccessor();
    BasicBlock *Point = makeWay(Here, Next);
    Here->getTerminator()->eraseFromParent();
    B.SetInsertPoint(Here);
    B.CreateCondBr(Condition, Point, Next, Rarely);
    return Point;
  }

  Function &F;
  DominatorTree DT;
  LoopInfo LI;
  IRBuilder<> B;
  int64_t StripLength;
  function_ref<void(Instruction *)> InsertPoint;
  MDNode *Rarely;
  SmallVector<AllocaInst *, 8> Counters;
};

} // namespace

void insertPolls(Function &F, const LoopPoints &Points, int64_t StripLength, function_ref<void(Instruction *)> InsertPoint) {
  if (Points.Aside.empty() && Points.BackEdges.empty() && Points.Counted.empty() && Points.Labels.empty())
    return;
  PollInserter Polls(F, StripLength, InsertPoint);
  for (BasicBlock *Head : Points.Counted) // needs the loops as they are
    Polls.count(Head);
  for (BasicBlock *Head : Points.BackEdges)
    Polls.lookOnBackEdge(Head);
  for (BasicBlock *Head : Points.Aside)
    Polls.look(Head);
  for (auto [Dispatch, Label] : Points.Labels)
    Polls.addWay(Dispatch, Label);
  Polls.finish();
}

} // namespace transproc
