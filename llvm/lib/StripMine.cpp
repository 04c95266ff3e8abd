// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Strip-mining: for (i = a; i < n; i += s) body   becomes
//   if (n - a > K * s)   // unsigned; rarely
//     for (q = a; ; q = i) { point; end = min(q + K * s, n); for (i = q; i < end; i += s) body; if (!(i < n)) break; }
//   else
//     for (i = a; i < n; i += s) body;
// Where the run may include its bound (i <= n), and so perhaps never ends, the copy for long runs is not cut, but counts its iterations.
// A point in an innermost loop would make the register allocator keep everything listed in registers there; here the loops have none.
#include "transproc/Points.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/LoopSimplify.h"
#include "llvm/Transforms/Utils/LoopUtils.h"

using namespace llvm;

namespace transproc {
namespace {

constexpr int64_t MaxStep = 65536; // StripLength steps stay far from overflowing 32 bits

struct CountedLoop {
  BasicBlock *Header, *Latch, *Preheader, *Exit;
  BranchInst *Branch;
  unsigned Stay;   // successor of Branch that stays in the loop
  ICmpInst *Compare;
  unsigned BoundOperand;
  CmpInst::Predicate Predicate; // stay while counter Predicate bound
  PHINode *Counter = nullptr;
  int64_t Step = 0;
  Value *bound() const { return Compare->getOperand(BoundOperand); }
  bool includesBound() const { return CmpInst::isNonStrictPredicate(Predicate); }
};

// The constant that Next adds to Phi; 0 if it does something else.
int64_t stepOf(Value *Next, PHINode *Phi, const DataLayout &DL) {
  if (auto *Add = dyn_cast<BinaryOperator>(Next)) {
    auto *Constant = dyn_cast<ConstantInt>(Add->getOperand(1));
    bool Counts = Add->getOpcode() == Instruction::Add && Add->getOperand(0) == Phi && Constant &&
                  Constant->getValue().getSignificantBits() <= 64;
    return Counts ? Constant->getSExtValue() : 0;
  }
  if (auto *Address = dyn_cast<GetElementPtrInst>(Next)) {
    APInt Offset(64, 0);
    if (Address->getPointerOperand() == Phi && Address->accumulateConstantOffset(DL, Offset))
      return Offset.getSExtValue();
  }
  return 0;
}

bool findCounter(CountedLoop &C, Value *Compared) {
  const DataLayout &DL = C.Header->getDataLayout();
  for (PHINode &Phi : C.Header->phis()) {
    Value *Next = Phi.getIncomingValueForBlock(C.Latch);
    if (Compared != &Phi && Compared != Next)
      continue;
    Type *T = Phi.getType();
    bool Counts = T->isPointerTy() || (T->isIntegerTy() && T->getIntegerBitWidth() >= 32 && T->getIntegerBitWidth() <= 64);
    int64_t Step = Counts ? stepOf(Next, &Phi, DL) : 0;
    if (!Step || std::abs(Step) > MaxStep)
      continue;
    C.Counter = &Phi;
    C.Step = Step;
    return true;
  }
  return false;
}

bool approachesBound(const CountedLoop &C) {
  switch (C.Predicate) {
  case CmpInst::ICMP_NE: return true;
  case CmpInst::ICMP_ULT:
  case CmpInst::ICMP_ULE:
  case CmpInst::ICMP_SLT:
  case CmpInst::ICMP_SLE: return C.Step > 0;
  case CmpInst::ICMP_UGT:
  case CmpInst::ICMP_UGE:
  case CmpInst::ICMP_SGT:
  case CmpInst::ICMP_SGE: return C.Step < 0;
  default: return false;
  }
}

bool recognise(Loop &L, CountedLoop &C) {
  C.Header = L.getHeader();
  C.Latch = L.getLoopLatch();
  C.Preheader = L.getLoopPreheader();
  C.Branch = C.Latch && C.Preheader ? dyn_cast<BranchInst>(C.Latch->getTerminator()) : nullptr;
  if (!C.Branch || !C.Branch->isConditional())
    return false;
  C.Compare = dyn_cast<ICmpInst>(C.Branch->getCondition());
  if (!C.Compare || !C.Compare->hasOneUse() || C.Compare->getParent() != C.Latch)
    return false;
  C.Stay = C.Branch->getSuccessor(0) == C.Header ? 0 : 1;
  C.Exit = C.Branch->getSuccessor(1 - C.Stay);
  if (C.Branch->getSuccessor(C.Stay) != C.Header || L.contains(C.Exit))
    return false;
  C.Predicate = C.Compare->getPredicate();
  C.BoundOperand = 1;
  if (L.isLoopInvariant(C.Compare->getOperand(0))) {
    C.BoundOperand = 0;
    C.Predicate = CmpInst::getSwappedPredicate(C.Predicate);
  }
  Value *Compared = C.Compare->getOperand(1 - C.BoundOperand);
  if (!L.isLoopInvariant(C.bound()) || L.isLoopInvariant(Compared))
    return false;
  if (C.Stay == 1)
    C.Predicate = CmpInst::getInversePredicate(C.Predicate);
  return findCounter(C, Compared) && approachesBound(C);
}

// Does a run that begins at First have more than StripLength iterations? Also true where First lies beyond the bound, for a run of one.
Value *isFar(IRBuilder<> &B, const CountedLoop &C, Value *First, int64_t StripLength) {
  Type *T = First->getType();
  Value *Bound = C.bound(), *From = First;
  if (T->isPointerTy()) {
    T = B.getInt64Ty();
    From = B.CreatePtrToInt(First, T);
    Bound = B.CreatePtrToInt(Bound, T);
  }
  Value *Distance = C.Step > 0 ? B.CreateSub(Bound, From) : B.CreateSub(From, Bound);
  return B.CreateICmpUGT(Distance, ConstantInt::get(T, StripLength * std::abs(C.Step)));
}

// Is a bound that the run includes so near to the last number of its type that the counter can step over that, back to its first?
Value *mayWrap(IRBuilder<> &B, const CountedLoop &C) {
  Value *Bound = C.bound();
  if (Bound->getType()->isPointerTy())
    Bound = B.CreatePtrToInt(Bound, B.getInt64Ty());
  unsigned Bits = Bound->getType()->getIntegerBitWidth();
  bool Signed = CmpInst::isSigned(C.Predicate), Up = C.Step > 0;
  APInt Last = Up ? (Signed ? APInt::getSignedMaxValue(Bits) : APInt::getMaxValue(Bits))
                  : (Signed ? APInt::getSignedMinValue(Bits) : APInt::getMinValue(Bits));
  Last -= APInt(Bits, C.Step, /*isSigned=*/true);
  CmpInst::Predicate Beyond = Up ? CmpInst::ICMP_UGT : CmpInst::ICMP_ULT;
  return B.CreateICmp(Signed ? ICmpInst::getSignedPredicate(Beyond) : Beyond, Bound, ConstantInt::get(Bound->getType(), Last));
}

Value *isLong(IRBuilder<> &B, const CountedLoop &C, Value *First, int64_t StripLength) {
  Value *Far = isFar(B, C, First, StripLength);
  return C.Predicate == CmpInst::ICMP_NE ? Far : B.CreateSelect(B.CreateICmp(C.Predicate, First, C.bound()), Far, B.getFalse());
}

// The end of the strip that begins at First.
Value *stripEnd(IRBuilder<> &B, const CountedLoop &C, Value *First, int64_t StripLength) {
  int64_t Advance = StripLength * C.Step;
  Value *End = First->getType()->isPointerTy()
                   ? B.CreateGEP(B.getInt8Ty(), First, B.getInt64(Advance))
                   : B.CreateAdd(First, ConstantInt::get(First->getType(), Advance, /*IsSigned=*/true));
  return B.CreateSelect(isLong(B, C, First, StripLength), End, C.bound(), "strip.end");
}

BasicBlock *cutIntoStrips(CountedLoop &C, int64_t StripLength) {
  Function *F = C.Header->getParent();
  LLVMContext &Context = F->getContext();
  BasicBlock *Strip = BasicBlock::Create(Context, "strip", F, C.Header);
  BasicBlock *Check = BasicBlock::Create(Context, "strip.check", F, C.Exit);
  C.Preheader->getTerminator()->replaceSuccessorWith(C.Header, Strip);

  IRBuilder<> B(Strip);
  B.SetCurrentDebugLocation(C.Branch->getDebugLoc());
  PHINode *First = nullptr;
  for (PHINode &Phi : C.Header->phis()) {
    PHINode *Outer = B.CreatePHI(Phi.getType(), 2, Phi.getName() + ".strip");
    int FromPreheader = Phi.getBasicBlockIndex(C.Preheader);
    Outer->addIncoming(Phi.getIncomingValue(FromPreheader), C.Preheader);
    Outer->addIncoming(Phi.getIncomingValueForBlock(C.Latch), Check);
    Phi.setIncomingValue(FromPreheader, Outer);
    Phi.setIncomingBlock(FromPreheader, Strip);
    if (&Phi == C.Counter)
      First = Outer;
  }
  Value *Limit = stripEnd(B, C, First, StripLength);
  B.CreateBr(C.Header);

  B.SetInsertPoint(Check);
  Instruction *More = C.Compare->clone();
  B.Insert(More);
  C.Stay == 0 ? B.CreateCondBr(More, Strip, C.Exit) : B.CreateCondBr(More, C.Exit, Strip);
  C.Compare->setOperand(C.BoundOperand, Limit);
  C.Branch->setSuccessor(1 - C.Stay, Check);
  C.Exit->replacePhiUsesWith(C.Latch, Check);
  return Strip;
}

// A copy of L, entered when the run is long, or starts beyond its bound: the copy copes with that, and one comparison is enough here.
Loop *copyForLongRuns(Loop &L, const CountedLoop &C, DominatorTree &DT, LoopInfo &LI, int64_t StripLength) {
  BasicBlock *Guard = L.getLoopPreheader();
  BasicBlock *Preheader = SplitBlock(Guard, Guard->getTerminator(), &DT, &LI);
  ValueToValueMapTy Map;
  SmallVector<BasicBlock *, 8> Blocks;
  Loop *Copy = cloneLoopWithPreheader(Preheader, Guard, &L, Map, ".long", &LI, &DT, Blocks);
  remapInstructionsInBlocks(Blocks, Map);

  Instruction *Old = Guard->getTerminator();
  IRBuilder<> B(Old);
  // Not so rarely that the copy counts as cold: its registers would be spilled in each of its thousands of iterations.
  MDNode *Rarely = MDBuilder(B.getContext()).createBranchWeights(1, 32);
  Value *Far = isFar(B, C, C.Counter->getIncomingValueForBlock(Preheader), StripLength);
  if (C.includesBound())
    Far = B.CreateOr(Far, mayWrap(B, C));
  B.CreateCondBr(Far, Copy->getLoopPreheader(), Preheader, Rarely);
  Old->eraseFromParent();

  SmallVector<BasicBlock *, 4> Exits;
  L.getUniqueExitBlocks(Exits);
  for (BasicBlock *Exit : Exits)
    for (PHINode &Phi : Exit->phis())
      for (unsigned I = 0, N = Phi.getNumIncomingValues(); I < N; ++I)
        if (L.contains(Phi.getIncomingBlock(I))) {
          Value *V = Phi.getIncomingValue(I), *Mapped = Map.lookup(V);
          Phi.addIncoming(Mapped ? Mapped : V, cast<BasicBlock>(Map.lookup(Phi.getIncomingBlock(I))));
        }
  return Copy;
}

} // namespace

LongRuns stripMine(Loop &L, DominatorTree &DT, LoopInfo &LI, int64_t StripLength) {
  simplifyLoop(&L, &DT, &LI, nullptr, nullptr, nullptr, /*PreserveLCSSA=*/false);
  CountedLoop C;
  if (!L.isSafeToClone() || !recognise(L, C))
    return {nullptr, &L};
  formLCSSA(L, DT, &LI, nullptr);
  LongRuns Runs{nullptr, copyForLongRuns(L, C, DT, LI, StripLength)};
  if (!C.includesBound() && recognise(*Runs.Loop, C))
    Runs.Strip = cutIntoStrips(C, StripLength);
  DT.recalculate(*L.getHeader()->getParent());
  return Runs;
}

} // namespace transproc
