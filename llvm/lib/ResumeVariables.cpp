// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/ResumeVariables.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InstIterator.h"

using namespace llvm;

namespace transproc {

void ResumeVariables::note(Function &Clone) {
  for (Instruction &I : instructions(Clone))
    for (DbgVariableRecord &D : filterDbgVars(I.getDbgRecordRange())) {
      if (!D.isDbgValue() || D.isKillLocation())
        continue;
      DebugVariable Variable(&D);
      bool Plain = D.getNumVariableLocationOps() == 1 && !D.getExpression()->getNumElements();
      Value *V = Plain ? D.getVariableLocationOp(0) : nullptr;
      auto [It, New] = ValueOf.insert({Variable, V});
      if (!New && It->second != V)
        It->second = nullptr;
      if (V)
        Described[V].push_back(&D);
    }
}

void ResumeVariables::replace(Value *V, Value *New) {
  auto It = Described.find(V);
  if (It == Described.end())
    return;
  SmallVector<DbgVariableRecord *, 1> Records = std::move(It->second);
  Described.erase(It);
  auto *Old = cast<Instruction>(V), *Now = cast<Instruction>(New);
  for (DbgVariableRecord *D : Records) {
    if (Value *&Is = ValueOf[DebugVariable(D)]; Is == V)
      Is = New;
    if (D->getParent() == Old->getParent()) { // behind V, which is before New
      D->removeFromParent();
      Now->getParent()->insertDbgRecordAfter(D, Now);
    }
  }
  Described[New] = std::move(Records);
}

void ResumeVariables::describeObject(const DbgVariableRecord &Declare, Value *Is, DIExpression *Expression) {
  Waiting.push_back(new DbgVariableRecord(ValueAsMetadata::get(Is), Declare.getVariable(), DIExpression::append(Expression, dwarf::DW_OP_deref),
                                          Declare.getDebugLoc().get()));
}

void ResumeVariables::describeSlot(Value *V, AllocaInst *Slot) {
  for (DbgVariableRecord *D : Described.lookup(V)) {
    DebugVariable Variable(D);
    if (ValueOf.lookup(Variable) != V)
      continue;
    ValueOf[Variable] = nullptr; // once
    Waiting.push_back(new DbgVariableRecord(ValueAsMetadata::get(Slot), D->getVariable(), D->getExpression(), D->getDebugLoc().get(),
                                            DbgVariableRecord::LocationType::Declare));
  }
}

void ResumeVariables::insertBefore(Instruction &I) {
  for (DbgVariableRecord *D : Waiting)
    I.getParent()->insertDbgRecordBefore(D, I.getIterator());
}

} // namespace transproc
