/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Slots of a resume entry that stay in memory, and which of them each site's record fills: one loop over a table instead of code for each
// site and value.
#ifndef TRANSPROC_RESTORETABLE_H
#define TRANSPROC_RESTORETABLE_H

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/IRBuilder.h"
#include <vector>

namespace transproc {

class RestoreTable {
public:
  explicit RestoreTable(unsigned Sites) : Rows(Sites) {}

  // A slot of 8 bytes. There is room for MaxSlots; those beyond are not in the table.
  void add(llvm::AllocaInst *Slot);
  bool has(const llvm::AllocaInst *Slot) const { return NumberOf.contains(Slot); }

  // The Narrow-th narrow value of a record of the site belongs into the slot. To be called in the order of the values.
  void restore(unsigned Site, unsigned Narrow, llvm::AllocaInst *Slot);

  // The slots that a record of the site fills.
  llvm::SmallVector<llvm::AllocaInst *, 0> slotsOf(unsigned Site) const;

  // Is it less code than loads and stores for each site would be?
  bool isWorthwhile() const;

  // At the end of the builder's block, which is Resume's entry: fills the slots from Resume's record, whose site has the id Own within its
  // function, and goes on behind that, or at Bad if there is no such site. Moves B there.
  void emit(llvm::IRBuilder<> &B, llvm::Function &Resume, llvm::Value *Own, llvm::BasicBlock *Bad) const;

private:
  llvm::GlobalVariable *constant(llvm::Function &Resume, llvm::Constant *Contents, llvm::StringRef What) const;
  llvm::Value *slotAddresses(llvm::IRBuilder<> &B) const;

  llvm::SmallVector<llvm::AllocaInst *, 0> Slots;
  llvm::DenseMap<const llvm::AllocaInst *, unsigned> NumberOf;
  std::vector<std::vector<uint16_t>> Rows; // of each site: the number of the slot for each narrow value, or None
  unsigned Words = 0;
};

} // namespace transproc
#endif
