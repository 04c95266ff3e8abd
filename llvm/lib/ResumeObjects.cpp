// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/ResumeObjects.h"
#include "transproc/Layout.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InstIterator.h"

using namespace llvm;

namespace transproc {

LoadInst *ResumeObjects::load(unsigned I) {
  IRBuilder<> &B = C.B;
  LLVMContext &Context = B.getContext();
  Value *Place = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Array, 8 * I);
  LoadInst *Address = B.CreateAlignedLoad(B.getPtrTy(), Place, Align(8), Objects[I]->getName());
  Address->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(Context, {}));
  Address->setMetadata(LLVMContext::MD_nonnull, MDNode::get(Context, {}));
  auto *Alignment = B.getInt64(Objects[I]->getAlign().value());
  Address->setMetadata(LLVMContext::MD_align, MDNode::get(Context, ConstantAsMetadata::get(Alignment)));
  return Address;
}

Value *ResumeObjects::addressOf(AllocaInst *Object) {
  LoadInst *Address = Addresses.lookup(Object);
  return Address ? Address : load(find(Objects, Object) - Objects.begin());
}

// The back end may have given objects whose lives do not overlap one place in F's frame. Here they are only addresses: what their types
// say must not let an access to one pass an access to another.
void ResumeObjects::forgetTypes() {
  for (Instruction &I : instructions(*C.Clone))
    I.setAAMetadata(AAMDNodes());
}

void ResumeObjects::take(unsigned Limit) {
  if (Objects.empty())
    return;
  forgetTypes();
  Array = C.B.CreateAlignedLoad(C.B.getPtrTy(), C.field(RecordObjects), Align(8), "objects");
  for (unsigned I = 0; I < Objects.size(); ++I) {
    auto *Own = cast<AllocaInst>(C.mapped(Objects[I]));
    for (User *U : make_early_inc_range(Own->users()))
      if (auto *Call = dyn_cast<IntrinsicInst>(U); Call && Call->isLifetimeStartOrEnd())
        Call->eraseFromParent();
    if (Objects.size() > Limit && !C.isUsedInLoop(Own))
      takeWhereUsed(*Own, I);
    else
      takeOnce(*Own, I);
    Own->eraseFromParent();
  }
}

void ResumeObjects::takeOnce(AllocaInst &Own, unsigned I) {
  LoadInst *Address = Addresses[Objects[I]] = load(I);
  for (DbgVariableRecord *Declare : findDVRDeclares(&Own))
    Variables.describeObject(*Declare, Address, Declare->getExpression());
  Own.replaceAllUsesWith(Address);
}

void ResumeObjects::takeWhereUsed(AllocaInst &Own, unsigned I) {
  for (DbgVariableRecord *Declare : findDVRDeclares(&Own)) {
    SmallVector<uint64_t, 4> Place;
    DIExpression::appendOffset(Place, 8 * I);
    Place.push_back(dwarf::DW_OP_deref);
    Variables.describeObject(*Declare, Array, DIExpression::prependOpcodes(Declare->getExpression(), Place));
  }
  IRBuilder<>::InsertPointGuard Keep(C.B);
  DenseMap<BasicBlock *, LoadInst *> Loads;
  for (Use &U : make_early_inc_range(Own.uses())) {
    auto *User = cast<Instruction>(U.getUser());
    auto *Phi = dyn_cast<PHINode>(User);
    BasicBlock *Where = Phi ? Phi->getIncomingBlock(U) : User->getParent();
    LoadInst *&Load = Loads[Where];
    if (!Load) {
      C.B.SetInsertPoint(Where, Where->getFirstInsertionPt());
      Load = load(I);
    }
    U.set(Load);
  }
}

} // namespace transproc
