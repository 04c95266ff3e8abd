// Points aside: a block that looks whether somebody waits, and the point in a block of its own, which is rarely visited.
//
//   head:  if (__transproc_poll) goto point;  body: ...          point: <site>; goto body;
//
// What the point lists costs the loop no registers then. A short loop counts instead of looking: a register is cheaper there than a load.
#include "transproc/Points.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"

using namespace llvm;

namespace transproc {
namespace {

// The word lies among the code; who plants breakpoints plants a 1 there (runtime/src/arch).
Value *isAwaited(IRBuilder<> &B, Module &M) {
  auto *Word = cast<GlobalVariable>(M.getOrInsertGlobal("__transproc_poll", B.getInt32Ty()));
  Word->setVisibility(GlobalValue::HiddenVisibility);
  return B.CreateICmpNE(B.CreateLoad(B.getInt32Ty(), Word, /*isVolatile=*/true), B.getInt32(0));
}

Value *countDown(IRBuilder<> &B, AllocaInst *Counter) {
  Value *Left = B.CreateSub(B.CreateLoad(B.getInt32Ty(), Counter), B.getInt32(1));
  B.CreateStore(Left, Counter);
  return B.CreateICmpEQ(Left, B.getInt32(0));
}

// A variable of L, which mem2reg turns into the phis that are needed.
AllocaInst *makeCounter(Loop &L, int64_t StripLength) {
  BasicBlock &Entry = L.getHeader()->getParent()->getEntryBlock();
  IRBuilder<> B(&Entry, Entry.begin());
  AllocaInst *Counter = B.CreateAlloca(B.getInt32Ty(), nullptr, "countdown");
  for (BasicBlock *Before : predecessors(L.getHeader()))
    if (!L.contains(Before))
      new StoreInst(B.getInt32(StripLength), Counter, Before->getTerminator()->getIterator());
  return Counter;
}

// Innermost loops that begin at one of the heads and hold no site: their counters.
MapVector<BasicBlock *, AllocaInst *> makeCounters(ArrayRef<BasicBlock *> Heads, ArrayRef<CallInst *> Sites, const LoopInfo &LI,
                                                   int64_t StripLength) {
  SmallPtrSet<BasicBlock *, 16> Stops;
  for (CallInst *Site : Sites)
    Stops.insert(Site->getParent());
  MapVector<BasicBlock *, AllocaInst *> Counters;
  for (BasicBlock *Head : Heads)
    if (Loop *L = LI.getLoopFor(Head); L && L->getHeader() == Head && L->isInnermost() &&
                                       none_of(L->blocks(), [&](BasicBlock *BB) { return Stops.contains(BB); }))
      Counters[Head] = makeCounter(*L, StripLength);
  return Counters;
}

} // namespace

void insertPolls(Function &F, ArrayRef<BasicBlock *> Heads, ArrayRef<CallInst *> Sites, int64_t StripLength,
                 function_ref<void(Instruction *)> InsertPoint) {
  if (Heads.empty())
    return;
  DominatorTree DT(F);
  MapVector<BasicBlock *, AllocaInst *> Counters = makeCounters(Heads, Sites, LoopInfo(DT), StripLength);
  MDNode *Rarely = MDBuilder(F.getContext()).createBranchWeights(1, StripLength);
  IRBuilder<> B(F.getContext());
  for (BasicBlock *Head : Heads) {
    BasicBlock *Body = Head->splitBasicBlock(Head->getFirstInsertionPt(), "body");
    BasicBlock *Point = BasicBlock::Create(F.getContext(), "point", &F);
    AllocaInst *Counter = Counters.lookup(Head);
    B.SetInsertPoint(Head->getTerminator());
    B.CreateCondBr(Counter ? countDown(B, Counter) : isAwaited(B, *F.getParent()), Point, Body, Rarely);
    Head->getTerminator()->eraseFromParent();
    B.SetInsertPoint(Point);
    if (Counter)
      B.CreateStore(B.getInt32(StripLength), Counter);
    InsertPoint(B.CreateBr(Body));
  }
  DT.recalculate(F);
  PromoteMemToReg(to_vector(make_second_range(Counters)), DT);
}

} // namespace transproc
