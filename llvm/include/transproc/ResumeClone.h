/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// What all steps of making a resume entry work on: the clone of a function, and the slots of values in it.
#ifndef TRANSPROC_RESUMECLONE_H
#define TRANSPROC_RESUMECLONE_H

#include "transproc/Site.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

namespace transproc {

struct ResumeClone {
  // Clones F, and declares the resume entry, which has the clone's attributes as far as they are true of it.
  ResumeClone(llvm::Function &F, llvm::ArrayRef<Site> Sites);

  llvm::Value *mapped(const llvm::Value *V) const { return Map.lookup(V); }

  // The address of a field of the record.
  llvm::Value *field(uint64_t Offset) { return B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Resume->getArg(0), Offset); }

  // A place for a value of the type. Of those that do not stay in memory mem2reg makes phis.
  llvm::AllocaInst *newSlot(llvm::Type *T, bool InMemory = false);

  // Finds the clone's loops, as it is entered at its own first block.
  void findLoops();
  bool isUsedInLoop(const llvm::Value *V) const;

  llvm::Function &F;
  llvm::ArrayRef<Site> Sites;
  llvm::IRBuilder<> B;
  llvm::ValueToValueMapTy Map; // F to Clone
  llvm::Function *Clone;       // gives its blocks to Resume in the end
  llvm::Function *Resume;
  llvm::BasicBlock *Entry;     // of Resume, in Clone
  llvm::LoopInfo Loops;        // of Clone
  llvm::SmallVector<llvm::AllocaInst *, 32> Slots, Promoted;
};

// A stack pointer saved before the migration means nothing in the new frame: such a token is read from a slot that the continuations fill
// with the frame's own.
class StackTokens {
public:
  explicit StackTokens(ResumeClone &C) : C(C) {}

  // Makes the clone read its tokens from slots.
  void takeFresh();

  bool contains(const llvm::Value *V) const { return SlotOf.contains(V); }

  // At the builder's place: if V is a token, its slot gets the stack pointer as it is there.
  void renew(const llvm::Value *V);

private:
  llvm::AllocaInst *slotOf(llvm::Value *V);
  llvm::PHINode *freshPhi(llvm::PHINode &Phi);

  ResumeClone &C;
  llvm::DenseMap<const llvm::Value *, llvm::AllocaInst *> SlotOf; // of what llvm.stacksave returned, and phis of such
};

} // namespace transproc
#endif
