// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows are sequences of 16-bit numbers, each for one narrow value of a record, in order; sites with the same values share one. A second
// constant says where in the first one each site's row begins.
#include "transproc/RestoreTable.h"
#include "transproc/Layout.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"
#include <map>

using namespace llvm;

namespace transproc {
namespace {

constexpr uint16_t End = 0xffff;  // of a row
constexpr uint16_t None = 0;      // a value that other code takes goes to a place that nobody reads
constexpr unsigned MaxSlots = 0xfffe;
constexpr unsigned FewWords = 24; // about what the loop and its tables amount to

} // namespace

void RestoreTable::add(AllocaInst *Slot) {
  if (Slots.size() == MaxSlots)
    return;
  Slots.push_back(Slot);
  NumberOf[Slot] = Slots.size();
}

void RestoreTable::restore(unsigned Site, unsigned Narrow, AllocaInst *Slot) {
  Rows[Site].resize(Narrow, None);
  Rows[Site].push_back(NumberOf.lookup(Slot));
  ++Words;
}

SmallVector<AllocaInst *, 0> RestoreTable::slotsOf(unsigned Site) const {
  SmallVector<AllocaInst *, 0> Found;
  for (uint16_t Number : Rows[Site])
    if (Number != None)
      Found.push_back(Slots[Number - 1]);
  return Found;
}

bool RestoreTable::isWorthwhile() const { return Words > FewWords; }

GlobalVariable *RestoreTable::constant(Function &Resume, Constant *Contents, StringRef What) const {
  auto *G = new GlobalVariable(*Resume.getParent(), Contents->getType(), /*isConstant=*/true, GlobalValue::InternalLinkage, Contents,
                               Resume.getName() + What);
  G->setComdat(Resume.getComdat());
  return G;
}

Value *RestoreTable::slotAddresses(IRBuilder<> &B) const {
  auto *T = ArrayType::get(B.getPtrTy(), Slots.size() + 1);
  BasicBlock &Entry = *B.GetInsertBlock();
  auto *Addresses = new AllocaInst(T, 0, "slots", Entry.begin());
  auto *Unread = new AllocaInst(B.getInt64Ty(), 0, "unread", Entry.begin());
  for (unsigned I = 0; I <= Slots.size(); ++I)
    B.CreateStore(I == None ? Unread : Slots[I - 1], B.CreateConstInBoundsGEP2_64(T, Addresses, 0, I));
  return Addresses;
}

void RestoreTable::emit(IRBuilder<> &B, Function &Resume, Value *Own, BasicBlock *Bad) const {
  LLVMContext &C = B.getContext();
  std::vector<uint16_t> All;
  std::vector<uint32_t> Begins;
  std::map<std::vector<uint16_t>, uint32_t> Known;
  for (const std::vector<uint16_t> &Row : Rows) {
    auto [It, New] = Known.try_emplace(Row, All.size());
    if (New) {
      All.insert(All.end(), Row.begin(), Row.end());
      All.push_back(End);
    }
    Begins.push_back(It->second);
  }
  GlobalVariable *Numbers = constant(Resume, ConstantDataArray::get(C, All), ".slots");
  GlobalVariable *Starts = constant(Resume, ConstantDataArray::get(C, Begins), ".sites");
  Value *Addresses = slotAddresses(B);
  BasicBlock *First = B.GetInsertBlock();
  auto Block = [&](const char *Name) { return BasicBlock::Create(C, Name, First->getParent(), Bad); };
  BasicBlock *Begin = Block("restore"), *Next = Block("next"), *Copy = Block("copy"), *Done = Block("restored");
  Value *Index = B.CreateLShr(Own, 1);
  B.CreateCondBr(B.CreateICmpULT(Index, B.getInt64(Rows.size())), Begin, Bad);

  B.SetInsertPoint(Begin);
  Value *Start = B.CreateZExt(B.CreateLoad(B.getInt32Ty(), B.CreateInBoundsGEP(B.getInt32Ty(), Starts, Index)), B.getInt64Ty());
  Value *Row = B.CreateInBoundsGEP(B.getInt16Ty(), Numbers, Start);
  B.CreateBr(Next);

  B.SetInsertPoint(Next);
  PHINode *I = B.CreatePHI(B.getInt64Ty(), 2);
  Value *Number = B.CreateLoad(B.getInt16Ty(), B.CreateInBoundsGEP(B.getInt16Ty(), Row, I));
  B.CreateCondBr(B.CreateICmpEQ(Number, B.getInt16(End)), Done, Copy);

  B.SetInsertPoint(Copy);
  Value *Words = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Resume.getArg(0), RecordSlots);
  Value *Word = B.CreateLoad(B.getInt64Ty(), B.CreateInBoundsGEP(B.getInt64Ty(), Words, I));
  Value *Place = B.CreateInBoundsGEP(B.getPtrTy(), Addresses, B.CreateZExt(Number, B.getInt64Ty()));
  B.CreateStore(Word, B.CreateLoad(B.getPtrTy(), Place));
  I->addIncoming(B.getInt64(0), Begin);
  I->addIncoming(B.CreateAdd(I, B.getInt64(1)), Copy);
  B.CreateBr(Next);
  B.SetInsertPoint(Done);
}

} // namespace transproc
