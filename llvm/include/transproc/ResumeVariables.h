/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Where debuggers find variables in a resume entry: one in a stack object by the object's address, and one that only ever had one listed
// value by that value's slot, of which mem2reg makes locations.
#ifndef TRANSPROC_RESUMEVARIABLES_H
#define TRANSPROC_RESUMEVARIABLES_H

#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DebugProgramInstruction.h"
#include "llvm/IR/Instructions.h"

namespace transproc {

class ResumeVariables {
public:
  // The values that each variable has in the clone.
  void note(llvm::Function &Clone);

  // New has taken the place of V, in a later block: what described V in its own one is there now.
  void replace(llvm::Value *V, llvm::Value *New);

  // The variable lies where Is and Expression say.
  void describeObject(const llvm::DbgVariableRecord &Declare, llvm::Value *Is, llvm::DIExpression *Expression);
  void describeSlot(llvm::Value *V, llvm::AllocaInst *Slot);

  // Inserts what was described: records can only stand before an instruction.
  void insertBefore(llvm::Instruction &I);

private:
  llvm::DenseMap<llvm::DebugVariable, llvm::Value *> ValueOf; // null: several, or one that is no plain value
  llvm::DenseMap<llvm::Value *, llvm::SmallVector<llvm::DbgVariableRecord *, 1>> Described;
  llvm::SmallVector<llvm::DbgVariableRecord *, 16> Waiting;
};

} // namespace transproc
#endif
