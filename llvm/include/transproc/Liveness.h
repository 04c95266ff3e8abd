/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Live values at instructions, by the classical backward dataflow over bit sets.
#ifndef TRANSPROC_LIVENESS_H
#define TRANSPROC_LIVENESS_H

#include "transproc/Site.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/IR/Function.h"
#include <vector>

namespace transproc {

class Liveness {
public:
  explicit Liveness(llvm::Function &F);

  // Calls Visit for each instruction of Sites, in no fixed order of blocks, with the set of values live after it
  // (without its own result).
  using Visitor = llvm::function_ref<void(llvm::Instruction &, const llvm::BitVector &)>;
  void atSites(const SiteSet &Sites, Visitor Visit) const;

  const llvm::BitVector &liveIn(const llvm::BasicBlock &BB) const { return LiveIn.find(&BB)->second; }
  llvm::Value *value(unsigned Index) const { return Values[Index]; }
  unsigned size() const { return Values.size(); }
  // Index of a tracked value; -1 for constants and static allocas, which are never live.
  int index(const llvm::Value *V) const;

private:
  void add(llvm::Value *V);
  void transfer(const llvm::Instruction &I, llvm::BitVector &Live) const;
  llvm::BitVector liveOut(const llvm::BasicBlock &BB) const;
  void solve();

  llvm::Function &F;
  llvm::DenseMap<const llvm::Value *, unsigned> Indices;
  std::vector<llvm::Value *> Values; // in the order of the function
  llvm::DenseMap<const llvm::BasicBlock *, llvm::BitVector> LiveIn;
};

} // namespace transproc
#endif
