/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Stack objects in a resume entry: they stay where the original frame had them, and their addresses come from the record.
#ifndef TRANSPROC_RESUMEOBJECTS_H
#define TRANSPROC_RESUMEOBJECTS_H

#include "transproc/ResumeClone.h"
#include "transproc/ResumeVariables.h"

namespace transproc {

class ResumeObjects {
public:
  // Objects: of F, in the order of the record's array.
  ResumeObjects(ResumeClone &C, llvm::ArrayRef<llvm::AllocaInst *> Objects, ResumeVariables &Variables)
      : C(C), Objects(Objects), Variables(Variables) {}

  // Gives the clone their addresses instead of objects of its own. They are loaded once, if there are no more than Limit or loops use them,
  // else in each block that uses them: many values that live from the entry to the end take the back ends the square of the time. The
  // record lasts as long as the clone's frame.
  void take(unsigned Limit);

  // At the builder's place.
  llvm::Value *addressOf(llvm::AllocaInst *Object);

private:
  llvm::LoadInst *load(unsigned I);
  void forgetTypes();
  void takeOnce(llvm::AllocaInst &Own, unsigned I);
  void takeWhereUsed(llvm::AllocaInst &Own, unsigned I);

  ResumeClone &C;
  llvm::ArrayRef<llvm::AllocaInst *> Objects;
  ResumeVariables &Variables;
  llvm::DenseMap<llvm::AllocaInst *, llvm::LoadInst *> Addresses; // of those that are loaded once
  llvm::Value *Array = nullptr;                                   // of all addresses
};

} // namespace transproc
#endif
