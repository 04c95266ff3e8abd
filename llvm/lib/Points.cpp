// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A loop needs a point unless it is short, or stops at a site in every iteration anyway: a return address, or the
// point of an inner loop.
#include "transproc/Points.h"
#include "transproc/Liveness.h"
#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/LoopIterator.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/Transforms/Utils/LoopUtils.h"
#include "llvm/Transforms/Utils/UnrollLoop.h"

using namespace llvm;

namespace transproc {
namespace {

// Instructions of loops that are worth a copy, and of the shortest turn of such a loop: where most turns leave early (`if (far) continue;`)
// counting costs more than a small part of them.
constexpr unsigned MaxStripSize = 200;
constexpr unsigned MaxStripTurn = 80;

// Iterations of a whole loop nest that are too short a time to need a point.
constexpr uint64_t ShortNest = 16 * DefaultStripLength;

// Instructions of loops that make several turns for each that they count, and the number of these turns. Most lists are short: a walk
// along one of four elements then never comes to the back edge.
constexpr unsigned MaxRepeatedSize = 24;
constexpr unsigned Repetitions = 4;

unsigned sizeOf(const Loop &L) {
  unsigned Size = 0;
  for (BasicBlock *BB : L.blocks())
    Size += BB->sizeWithoutDebug();
  return Size;
}

// Instructions on the shortest way from the head of an innermost loop back to it.
uint64_t shortestTurn(Loop &L, LoopInfo &LI) {
  constexpr uint64_t Unknown = std::numeric_limits<uint32_t>::max(); // by a way that is no part of the order
  LoopBlocksRPO Order(&L);
  Order.perform(&LI);
  DenseMap<BasicBlock *, uint64_t> Until; // the end of each block
  uint64_t Shortest = Unknown;
  for (BasicBlock *BB : Order) {
    uint64_t Before = BB == L.getHeader() ? 0 : Unknown;
    if (Before)
      for (BasicBlock *From : predecessors(BB))
        if (auto It = Until.find(From); It != Until.end())
          Before = std::min(Before, It->second);
    Until[BB] = Before + BB->sizeWithoutDebug();
    if (is_contained(successors(BB), L.getHeader()))
      Shortest = std::min(Shortest, Until[BB]);
  }
  return Shortest;
}

// Unrolls a small loop, each turn with its own way out, in front of the counting.
void repeatBody(Loop &L, DominatorTree &DT, LoopInfo &LI, ScalarEvolution &SE) {
  Function &F = *L.getHeader()->getParent();
  if (!L.isInnermost() || sizeOf(L) > MaxRepeatedSize || !L.isLoopSimplifyForm() || !L.isSafeToClone())
    return;
  formLCSSA(L, DT, &LI, &SE);
  AssumptionCache Assumptions(F);
  TargetTransformInfo Target(F.getDataLayout());
  OptimizationRemarkEmitter Remarks(&F);
  UnrollLoopOptions Unroll{};
  Unroll.Count = Repetitions;
  Unroll.Force = true;
  UnrollLoop(&L, Unroll, &LI, &SE, &DT, &Assumptions, &Target, &Remarks, /*PreserveLCSSA=*/true);
}

// Iterations of L and of the loops in it, saturating at ShortNest + 1.
uint64_t nestIterations(Loop &L, ScalarEvolution &SE) {
  uint64_t Inner = 1;
  for (Loop *Child : L.getSubLoops())
    Inner += nestIterations(*Child, SE);
  uint64_t Count = SE.getSmallConstantMaxTripCount(&L);
  return Count && Inner <= ShortNest ? std::min(Count * Inner, ShortNest + 1) : ShortNest + 1;
}

// Heads of cycles that are no natural loops (goto into a loop): targets of retreating edges that do not dominate.
SmallVector<BasicBlock *, 4> irreducibleHeads(Function &F, const DominatorTree &DT) {
  ReversePostOrderTraversal<Function *> Order(&F);
  DenseMap<BasicBlock *, unsigned> Position;
  for (BasicBlock *BB : Order)
    Position[BB] = Position.size();
  SetVector<BasicBlock *> Heads;
  for (BasicBlock *BB : Order)
    for (BasicBlock *Next : successors(BB))
      if (Position[Next] <= Position[BB] && !DT.dominates(Next, BB))
        Heads.insert(Next);
  return SmallVector<BasicBlock *, 4>(Heads.begin(), Heads.end());
}

class Chooser {
public:
  Chooser(Function &F, DominatorTree &DT, LoopInfo &LI, ScalarEvolution &SE, ArrayRef<CallBase *> Stops,
          const PointOptions &Options)
      : F(F), DT(DT), LI(LI), SE(SE), Options(Options) {
    for (CallBase *Stop : Stops) // who comes back from an invoke by its landing pad was not stopped
      if (auto *Invoke = dyn_cast<InvokeInst>(Stop))
        StopBlocks.push_back(Invoke->getNormalDest());
      else
        StopBlocks.push_back(Stop->getParent());
  }

  LoopPoints choose() {
    LoopPoints Points;
    for (BasicBlock *Head : irreducibleHeads(F, DT))
      Points.Aside.insert(Head);
    StopBlocks.append(Points.Aside.begin(), Points.Aside.end());
    for (Loop *L : LI)
      visit(*L, Points);
    // strip-mining changes the loops, so it comes last
    for (Loop *L : Strips)
      if (auto [Strip, Long] = stripMine(*L, DT, LI, Options.StripLength); Strip)
        Points.Direct.push_back(Strip);
      else
        Counting.push_back(Long);
    for (Loop *L : Counting)
      Points.Counted.insert(L->getHeader());
    return Points;
  }

private:
  bool contains(const Loop &L, ArrayRef<BasicBlock *> Blocks) const {
    return any_of(Blocks, [&](BasicBlock *BB) { return L.contains(BB); });
  }

  bool stopsInEveryIteration(Loop &L) const {
    return any_of(StopBlocks, [&](BasicBlock *Stop) { return L.contains(Stop) && isOnEveryWayBack(Stop, L, DT); });
  }

  // Innermost first: an inner loop's stop may serve the outer loop.
  void visit(Loop &L, LoopPoints &Points) {
    if (!contains(L, StopBlocks) && nestIterations(L, SE) <= ShortNest)
      return;
    for (Loop *Child : L)
      visit(*Child, Points);
    if (stopsInEveryIteration(L))
      return;
    if (SwitchInst *Dispatch = dispatchOf(L))
      addLabels(L, Dispatch, Points);
    else if (isCounted(L) && Options.StripMine && isSmall(L))
      Strips.push_back(&L);
    else
      addPoint(L, Points);
  }

  // Of an innermost loop without other stops only long runs visit a point, so it does not serve outer loops.
  bool isCounted(const Loop &L) const { return L.isInnermost() && !contains(L, StopBlocks); }

  // A point in a loop costs no instruction, but makes the register allocator hold whatever is listed there as if the loop used it. One aside
  // is on the back edge, if there is one only: loops of one iteration, as many are, need not look. What lies in the head serves outer loops, too.
  void addPoint(Loop &L, LoopPoints &Points) {
    BasicBlock *Head = L.getHeader();
    bool Counted = isCounted(L);
    if (passingThrough(L) <= Options.DirectLimit)
      Points.Direct.push_back(Head);
    else if (Counted)
      Counting.push_back(&L);
    else if (L.getLoopLatch())
      Points.BackEdges.insert(Head);
    else
      Points.Aside.insert(Head);
    if (!Counted && !Points.BackEdges.contains(Head))
      StopBlocks.push_back(Head);
  }

  // Points go to the ways from the dispatch to its labels.
  void addLabels(const Loop &L, SwitchInst *Dispatch, LoopPoints &Points) {
    for (BasicBlock *Target : successors(Dispatch))
      if (L.contains(Target) && !is_contained(StopBlocks, Target))
        Points.Labels.insert({Dispatch, Target});
  }

  // The branch of an interpreter's loop, `goto *p`, by which every iteration goes on.
  SwitchInst *dispatchOf(const Loop &L) const {
    for (BasicBlock *BB : L.blocks())
      if (BB->getTerminator()->hasMetadata(DispatchMark) && isOnEveryWayBack(BB, L, DT))
        return cast<SwitchInst>(BB->getTerminator());
    return nullptr;
  }

  bool isSmall(Loop &L) const { return sizeOf(L) <= MaxStripSize && shortestTurn(L, LI) <= MaxStripTurn; }

  unsigned passingThrough(const Loop &L) {
    if (!Live)
      Live.emplace(F);
    unsigned Count = 0;
    for (unsigned K : Live->liveIn(*L.getHeader()).set_bits())
      Count += none_of(Live->value(K)->users(), [&](User *U) { return L.contains(cast<Instruction>(U)); });
    return Count;
  }

  Function &F;
  DominatorTree &DT;
  LoopInfo &LI;
  ScalarEvolution &SE;
  const PointOptions &Options;
  SmallVector<BasicBlock *, 16> StopBlocks; // blocks with a site at which a thread can be stopped
  std::optional<Liveness> Live;
  SmallVector<Loop *, 8> Strips;            // loops to cut into strips
  SmallVector<Loop *, 8> Counting;          // innermost loops that count
};

} // namespace

bool isOnEveryWayBack(const BasicBlock *BB, const Loop &L, const DominatorTree &DT) {
  SmallVector<BasicBlock *, 4> Latches;
  L.getLoopLatches(Latches);
  return all_of(Latches, [&](BasicBlock *Latch) { return DT.dominates(BB, Latch); });
}

bool mayLoopForLong(Function &F, LoopInfo &LI, ScalarEvolution &SE) {
  for (Loop *L : LI)
    if (nestIterations(*L, SE) > ShortNest)
      return true;
  return !irreducibleHeads(F, DominatorTree(F)).empty();
}

LoopPoints choosePoints(Function &F, DominatorTree &DT, LoopInfo &LI, ScalarEvolution &SE, ArrayRef<CallBase *> Stops,
                        const PointOptions &Options) {
  return Chooser(F, DT, LI, SE, Stops, Options).choose();
}

void repeatSmallLoops(Function &F, const LoopPoints &Points, DominatorTree &DT, LoopInfo &LI, ScalarEvolution &SE) {
  if (!F.hasOptSize())
    for (BasicBlock *Head : Points.Counted)
      if (Loop *L = LI.getLoopFor(Head); L && L->getHeader() == Head)
        repeatBody(*L, DT, LI, SE);
}

} // namespace transproc
