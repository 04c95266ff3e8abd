/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// What the steps of transproc-sites hand to each other for one function.
#ifndef TRANSPROC_SITE_H
#define TRANSPROC_SITE_H

#include "transproc/Layout.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

namespace transproc {

// An equivalence point: a call or invoke, which becomes a statepoint. A point in a loop is a call of pointMarker().
struct Site {
  llvm::CallBase *Call = nullptr; // a call, or an invoke (Invokes.cpp)
  uint64_t Id = 0;
  llvm::SmallVector<llvm::Value *, 8> Live; // listed values, in list order
  // Live values that are kept in a stack object instead of being listed.
  llvm::SmallVector<std::pair<llvm::Value *, llvm::AllocaInst *>, 4> Homes;
  bool Tail = false; // a jump in the function itself, a call with this site in its resume entry
  bool Jump = false; // a call of setjmp: all live values have homes, and it stays a plain call

  bool hasResult() const { return !Call->getType()->isVoidTy() && !Call->use_empty(); }
};

using SiteSet = llvm::SmallPtrSet<const llvm::Instruction *, 32>;

// The function whose calls become points; never emitted.
llvm::FunctionCallee pointMarker(llvm::Module &M);
bool isPoint(const llvm::CallBase *Call);

} // namespace transproc
#endif
