/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Which loops need a point of their own, and strip-mining.
#ifndef TRANSPROC_POINTS_H
#define TRANSPROC_POINTS_H

#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"

namespace transproc {

// Iterations between two visits of a point, and iterations of an innermost loop that need none. The time between
// points stays within StripLength squared iterations, some milliseconds.
constexpr int64_t DefaultStripLength = 4096;

// Metadata of the switches that stand for `goto *p`.
constexpr const char *DispatchMark = "transproc.dispatch";

// Added to the number of a label: the way to it by its point. A program's own numbers are smaller.
constexpr uint64_t ByPoint = 1ull << 32;

struct PointOptions {
  int64_t StripLength = DefaultStripLength;
  bool StripMine = true;
  unsigned DirectLimit = 2; // values that only pass through a loop, above which its point is aside
};

// Has the function a loop that may run for so long that it needs a point or a site?
bool mayLoopForLong(llvm::Function &F, llvm::LoopInfo &LI, llvm::ScalarEvolution &SE);

// Does every iteration of L that is followed by another pass BB, a block of L?
bool isOnEveryWayBack(const llvm::BasicBlock *BB, const llvm::Loop &L, const llvm::DominatorTree &DT);

struct LoopPoints {
  llvm::SmallVector<llvm::BasicBlock *, 8> Direct;   // blocks that begin with a point
  llvm::SmallSetVector<llvm::BasicBlock *, 8> Aside; // blocks with a point aside, visited when somebody waits
  llvm::SmallSetVector<llvm::BasicBlock *, 8> BackEdges; // heads of loops with such a point on their only back edge
  llvm::SmallSetVector<llvm::BasicBlock *, 8> Counted; // heads of innermost loops with a point aside, visited after many iterations
  llvm::SetVector<std::pair<llvm::SwitchInst *, llvm::BasicBlock *>> Labels; // targets of a dispatch, with a point on the way
};

// Where F needs points, given the calls at whose return a thread can be stopped. Cuts innermost counted loops into strips.
LoopPoints choosePoints(llvm::Function &F, llvm::DominatorTree &DT, llvm::LoopInfo &LI, llvm::ScalarEvolution &SE,
                        llvm::ArrayRef<llvm::CallBase *> Stops, const PointOptions &Options);

// Where a loop can run for long: in a strip loop with this head, or, if that is null, in an innermost loop.
struct LongRuns {
  llvm::BasicBlock *Strip;
  llvm::Loop *Loop;
};

// Gives L, a counted loop, a second copy for long runs, which is cut into strips of StripLength iterations if that is possible. L itself is
// not changed then, but for one or two comparisons before it; if it is not a counted loop, long runs are in L.
LongRuns stripMine(llvm::Loop &L, llvm::DominatorTree &DT, llvm::LoopInfo &LI, int64_t StripLength);

// Makes the blocks look whether somebody waits for the thread to stop, the loops count, and the dispatches have a second way to each label;
// InsertPoint puts the points into blocks aside.
void insertPolls(llvm::Function &F, const LoopPoints &Points, int64_t StripLength,
                 llvm::function_ref<void(llvm::Instruction *Before)> InsertPoint);

// Small loops that count make several turns for each that they count. Analyses as they are after choosePoints, which changes the loops.
void repeatSmallLoops(llvm::Function &F, const LoopPoints &Points, llvm::DominatorTree &DT, llvm::LoopInfo &LI, llvm::ScalarEvolution &SE);

} // namespace transproc
#endif
