/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Listed values in a resume entry. They are demoted to slots, in which the record's values are stored before the code behind a site goes on.
// Of most slots mem2reg then builds phis. But those would be as many as sites × values, so a value that is listed often stays in memory:
// its slot is filled by a loop over a table (RestoreTable), and the lists of the clone's own sites name the slot.
#ifndef TRANSPROC_RESUMEVALUES_H
#define TRANSPROC_RESUMEVALUES_H

#include "transproc/RestoreTable.h"
#include "transproc/ResumeObjects.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace transproc {

class ResumeValues {
public:
  ResumeValues(ResumeClone &C, StackTokens &Tokens, ResumeVariables &Variables)
      : C(C), Tokens(Tokens), Variables(Variables), Table(C.Sites.size()) {}

  // Decides which slots stay in memory. Continuations: the block behind each site; Handlers: the block at which an exception there goes on,
  // or null.
  void chooseMemory(llvm::ArrayRef<llvm::BasicBlock *> Continuations, llvm::ArrayRef<llvm::BasicBlock *> Handlers, unsigned PromoteLimit);

  // Makes slots, and lets the clone use them.
  void demoteListed();

  // Each fills slots from the record, at the builder's place: those whose values have objects as homes, whichever the site; what the table
  // knows (if there is no site Own, its loop goes to Bad), and the place of all results; what is left for one site. Thrown: an exception came
  // instead of a result.
  void restoreHomes(ResumeObjects &Objects);
  void restoreShared(llvm::Value *Own, llvm::BasicBlock *Bad);
  void restoreSite(const Site &S, bool Thrown);

  // The slots that restoreShared() has filled when a site has been found.
  llvm::SmallVector<llvm::AllocaInst *, 0> sharedAt(unsigned Site) const;

  // The value that the slot is of; null if there is none.
  const llvm::Value *valueOf(const llvm::AllocaInst *Slot) const;

private:
  void findReachable(llvm::ArrayRef<llvm::BasicBlock *> Continuations, llvm::ArrayRef<llvm::BasicBlock *> Handlers);
  void shareResults(llvm::ArrayRef<llvm::BasicBlock *> Continuations);
  bool isTabled(const llvm::Value *V) const;
  void demote(llvm::Value *V);
  void useSlot(llvm::Value *V, llvm::AllocaInst *Slot, bool Word);
  void listWords(const Site &S, unsigned Number);
  void setSlot(const llvm::Value *V, llvm::Value *Is);

  ResumeClone &C;
  StackTokens &Tokens;
  ResumeVariables &Variables;
  RestoreTable Table;
  llvm::SmallPtrSet<llvm::BasicBlock *, 32> Reachable;
  llvm::SmallPtrSet<llvm::Value *, 32> InMemory; // those whose slots stay
  bool AllInMemory = false;
  llvm::SmallPtrSet<llvm::CallBase *, 16> Shared; // sites whose results pass through Result
  llvm::AllocaInst *Result = nullptr;
  llvm::DenseMap<llvm::Value *, llvm::AllocaInst *> SlotOf;
};

} // namespace transproc
#endif
