/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Which functions and calls may reach an equivalence point.
#ifndef TRANSPROC_REACH_H
#define TRANSPROC_REACH_H

#include "transproc/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"

namespace transproc {

class Reach {
public:
  Reach(llvm::Module &M, llvm::FunctionAnalysisManager &FAM, const SitesOptions &Options);

  // Must the call be a site?
  bool mayReach(const llvm::CallBase &Call) const;
  // Does the function get sites? Pinned functions do not, though they reach points.
  bool needsSites(const llvm::Function &F) const { return Reaching.contains(&F) && !Pinned.contains(&F); }
  // Functions whose frames cannot be migrated, each with the reason.
  const llvm::MapVector<const llvm::Function *, const char *> &pinned() const { return Pinned; }

private:
  bool isLeaf(const llvm::Function &F) const { return Leaves.contains(F.getName()); }
  void readLeafList(const std::string &Path);
  bool reachesByItself(llvm::Function &F, llvm::FunctionAnalysisManager &FAM) const;
  void close(llvm::Module &M);

  llvm::StringSet<> Leaves;
  llvm::SmallPtrSet<const llvm::Function *, 32> Reaching;
  llvm::MapVector<const llvm::Function *, const char *> Pinned;
};

// Why F cannot be migrated while one of its frames is on a stack; null if it can.
const char *whyPinned(const llvm::Function &F);

} // namespace transproc
#endif
