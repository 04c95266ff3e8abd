// A loop needs a point unless it is short, or stops at a site in every iteration anyway: a return address, or the
// point of an inner loop.
#include "transproc/Points.h"
#include "transproc/Liveness.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/PostOrderIterator.h"

using namespace llvm;

namespace transproc {
namespace {

// Instructions of loops that are worth a copy.
constexpr unsigned MaxStripSize = 80;

// Iterations of a whole loop nest that are too short a time to need a point.
constexpr uint64_t ShortNest = 16 * DefaultStripLength;

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
  Chooser(Function &F, DominatorTree &DT, LoopInfo &LI, ScalarEvolution &SE, ArrayRef<CallInst *> Stops,
          const PointOptions &Options)
      : F(F), DT(DT), LI(LI), SE(SE), Options(Options) {
    for (CallInst *Stop : Stops)
      StopBlocks.push_back(Stop->getParent());
  }

  LoopPoints choose() {
    LoopPoints Points;
    for (BasicBlock *Head : irreducibleHeads(F, DT))
      Points.Aside.insert(Head);
    StopBlocks.append(Points.Aside.begin(), Points.Aside.end());
    for (Loop *L : LI)
      visit(*L, Points);
    classify(Points);
    // strip-mining changes the loops, so it comes last
    for (Loop *L : Strips)
      if (BasicBlock *Strip = stripMine(*L, DT, LI, Options.StripLength))
        Points.Direct.push_back(Strip);
      else
        Points.Counted.insert(L->getHeader());
    return Points;
  }

private:
  bool contains(const Loop &L, ArrayRef<BasicBlock *> Blocks) const {
    return any_of(Blocks, [&](BasicBlock *BB) { return L.contains(BB); });
  }

  bool stopsInEveryIteration(Loop &L) const {
    SmallVector<BasicBlock *, 4> Latches;
    L.getLoopLatches(Latches);
    return any_of(StopBlocks, [&](BasicBlock *Stop) {
      return L.contains(Stop) && all_of(Latches, [&](BasicBlock *Latch) { return DT.dominates(Stop, Latch); });
    });
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
    else if (!isCounted(L))
      addHead(L);
    else if (Options.StripMine && isSmall(L))
      Strips.push_back(&L);
    else
      Heads.insert({L.getHeader(), &L});
  }

  // Of an innermost loop without other stops only long runs visit a point, so it does not serve outer loops.
  bool isCounted(const Loop &L) const { return L.isInnermost() && !contains(L, StopBlocks); }

  void addHead(Loop &L) {
    Heads.insert({L.getHeader(), &L});
    StopBlocks.push_back(L.getHeader()); // for outer loops
  }

  // Points go to the ways from the dispatch to its labels.
  void addLabels(const Loop &L, SwitchInst *Dispatch, LoopPoints &Points) {
    for (BasicBlock *Target : successors(Dispatch))
      if (L.contains(Target) && !is_contained(StopBlocks, Target))
        Points.Labels.insert({Dispatch, Target});
  }

  // The branch of an interpreter's loop, `goto *p`, by which every iteration goes on.
  SwitchInst *dispatchOf(const Loop &L) const {
    SmallVector<BasicBlock *, 4> Latches;
    L.getLoopLatches(Latches);
    for (BasicBlock *BB : L.blocks())
      if (BB->getTerminator()->hasMetadata(DispatchMark) &&
          all_of(Latches, [&](BasicBlock *Latch) { return DT.dominates(BB, Latch); }))
        return cast<SwitchInst>(BB->getTerminator());
    return nullptr;
  }

  static bool isSmall(const Loop &L) {
    unsigned Size = 0;
    for (BasicBlock *BB : L.blocks())
      Size += BB->sizeWithoutDebug();
    return Size <= MaxStripSize;
  }

  // A point in a loop costs no instruction, but makes the register allocator hold whatever is listed there as if the loop used it.
  void classify(LoopPoints &Points) {
    if (Heads.empty())
      return;
    Liveness Live(F);
    DenseMap<Loop *, unsigned> Passing; // a dispatch has many targets
    for (auto [Head, L] : Heads) {
      auto [Known, New] = Passing.try_emplace(L);
      if (New)
        Known->second = passingThrough(*L, Live);
      if (Known->second > Options.DirectLimit)
        (isCounted(*L) ? Points.Counted : Points.Aside).insert(Head);
      else
        Points.Direct.push_back(Head);
    }
  }

  static unsigned passingThrough(Loop &L, const Liveness &Live) {
    unsigned Count = 0;
    for (unsigned K : Live.liveIn(*L.getHeader()).set_bits())
      Count += none_of(Live.value(K)->users(), [&](User *U) { return L.contains(cast<Instruction>(U)); });
    return Count;
  }

  Function &F;
  DominatorTree &DT;
  LoopInfo &LI;
  ScalarEvolution &SE;
  const PointOptions &Options;
  SmallVector<BasicBlock *, 16> StopBlocks; // blocks with a site at which a thread can be stopped
  MapVector<BasicBlock *, Loop *> Heads;    // blocks that get a point, for the sake of a loop
  SmallVector<Loop *, 8> Strips;            // loops to cut into strips
};

} // namespace

bool mayLoopForLong(Function &F, LoopInfo &LI, ScalarEvolution &SE) {
  for (Loop *L : LI)
    if (nestIterations(*L, SE) > ShortNest)
      return true;
  return !irreducibleHeads(F, DominatorTree(F)).empty();
}

LoopPoints choosePoints(Function &F, DominatorTree &DT, LoopInfo &LI, ScalarEvolution &SE, ArrayRef<CallInst *> Stops,
                        const PointOptions &Options) {
  return Chooser(F, DT, LI, SE, Stops, Options).choose();
}

} // namespace transproc
