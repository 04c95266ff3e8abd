// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Proves that a resume entry reads no listed value that was neither restored from the record nor computed since: by a forward
// dataflow over slots that may still be unset, which shares nothing with the liveness that made the lists.
#include "transproc/Steps.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/PostOrderIterator.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;

namespace transproc {
namespace {

class UnsetSlots {
public:
  UnsetSlots(Function &F, ArrayRef<AllocaInst *> Slots, function_ref<SmallVector<AllocaInst *, 0>(const BasicBlock &)> RestoredAt)
      : F(F), Slots(Slots) {
    for (unsigned K = 0; K < Slots.size(); ++K)
      IndexOf[Slots[K]] = K;
    for (BasicBlock *BB : ReversePostOrderTraversal<Function *>(&F)) {
      Order.push_back(BB);
      for (AllocaInst *Slot : RestoredAt(*BB))
        Restored[BB].push_back(IndexOf.lookup(Slot));
    }
    solve();
  }

  // A slot that is read where it may be unset; null if there is none.
  AllocaInst *find() const {
    for (BasicBlock *BB : Order) {
      BitVector Unset = atBegin(BB);
      for (Instruction &I : *BB) {
        if (AllocaInst *Slot = readUnset(I, Unset))
          return Slot;
        transfer(I, Unset);
      }
    }
    return nullptr;
  }

private:
  int index(const Value *V) const {
    auto It = IndexOf.find(V);
    return It == IndexOf.end() ? -1 : static_cast<int>(It->second);
  }

  // By a load, or by a list that names the slot.
  AllocaInst *readUnset(const Instruction &I, const BitVector &Unset) const {
    auto Reads = [&](const Value *V) {
      int K = index(V);
      return K >= 0 && Unset.test(K) ? Slots[K] : nullptr;
    };
    if (auto *Load = dyn_cast<LoadInst>(&I))
      return Reads(Load->getPointerOperand());
    if (auto *Call = dyn_cast<CallBase>(&I))
      if (auto List = Call->getOperandBundle(LLVMContext::OB_deopt))
        for (const Use &U : List->Inputs)
          if (AllocaInst *Slot = Reads(U))
            return Slot;
    return nullptr;
  }

  BitVector atBegin(const BasicBlock *BB) const {
    BitVector Unset = In.find(BB)->second;
    if (auto It = Restored.find(BB); It != Restored.end())
      for (unsigned K : It->second)
        Unset.reset(K);
    return Unset;
  }

  void transfer(const Instruction &I, BitVector &Unset) const {
    if (auto *Store = dyn_cast<StoreInst>(&I))
      if (int K = index(Store->getPointerOperand()); K >= 0)
        Unset.reset(K);
  }

  // A slot may be unset where a block begins if it may be at the end of any block before it.
  void solve() {
    for (BasicBlock *BB : Order)
      In[BB].resize(Slots.size());
    In[&F.getEntryBlock()].set();
    for (bool Changed = true; Changed;) {
      Changed = false;
      for (BasicBlock *BB : Order) {
        BitVector Out = atBegin(BB);
        for (const Instruction &I : *BB)
          transfer(I, Out);
        for (BasicBlock *Next : successors(BB)) {
          BitVector &Known = In.find(Next)->second;
          if (!Out.test(Known))
            continue;
          Known |= Out;
          Changed = true;
        }
      }
    }
  }

  Function &F;
  ArrayRef<AllocaInst *> Slots;
  SmallVector<BasicBlock *, 64> Order;
  DenseMap<const Value *, unsigned> IndexOf;
  DenseMap<const BasicBlock *, SmallVector<unsigned, 8>> Restored;
  DenseMap<const BasicBlock *, BitVector> In;
};

} // namespace

AllocaInst *findUnsetSlot(Function &Resume, ArrayRef<AllocaInst *> Slots,
                          function_ref<SmallVector<AllocaInst *, 0>(const BasicBlock &)> RestoredAt) {
  return UnsetSlots(Resume, Slots, RestoredAt).find();
}

} // namespace transproc
