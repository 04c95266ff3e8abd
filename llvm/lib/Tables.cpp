// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sections .transproc.functions, .transproc.values and .transproc.pinned (docs/format.md, section 3); none is loaded.
#include "transproc/Steps.h"
#include "llvm/IR/Constants.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace transproc {

// The name of a weak or inline function may be bound to another file's, that of any other to another function (--wrap); the row must
// name this one. The former has a name of its own in the program too, where its first one may be missing.
static Constant *ownAddress(Function &F) {
  if (F.hasLocalLinkage())
    return &F;
  bool Replaced = F.isInterposable() || F.hasComdat();
  return GlobalAlias::create(Replaced ? GlobalValue::InternalLinkage : GlobalValue::PrivateLinkage, F.getName() + ".own", &F);
}

static GlobalVariable *emitTable(Module &M, Constant *Contents, StringRef Name, StringRef Section, Align A) {
  auto *G = new GlobalVariable(M, Contents->getType(), /*isConstant=*/true, GlobalValue::InternalLinkage, Contents, Name);
  G->setSection(Section);
  G->setAlignment(A);
  appendToCompilerUsed(M, {G});
  return G;
}

static void emitLines(Module &M, StringRef Lines, StringRef Name, StringRef Section) {
  if (!Lines.empty())
    emitTable(M, ConstantDataArray::getString(M.getContext(), Lines, /*AddNull=*/false), Name, Section, Align(1));
}

void Tables::emit(Module &M) const {
  emitLines(M, Lines, "__transproc_values", ".transproc.values");
  emitLines(M, Pinned, "__transproc_pinned", ".transproc.pinned");
  if (Rows.empty())
    return;
  LLVMContext &C = M.getContext();
  auto *Ptr = PointerType::getUnqual(C);
  auto *Word = Type::getInt64Ty(C);
  auto *RowType = StructType::get(C, {Ptr, Ptr, Word});
  SmallVector<Constant *, 0> Entries;
  for (const Row &R : Rows) {
    Constant *Entry = ConstantStruct::get(RowType, {ownAddress(*R.F), R.Resume, ConstantInt::get(Word, R.IdBase)});
    if (!R.F->hasComdat()) {
      Entries.push_back(Entry);
      continue;
    }
    // Of an inline function's copies the linker keeps one, with its row.
    GlobalVariable *Own = emitTable(M, Entry, ("__transproc_function." + R.F->getName()).str(), ".transproc.functions", Align(8));
    Own->setComdat(R.F->getComdat());
  }
  if (Entries.empty())
    return;
  auto *TableType = ArrayType::get(RowType, Entries.size());
  emitTable(M, ConstantArray::get(TableType, Entries), "__transproc_functions", ".transproc.functions", Align(8));
}

} // namespace transproc
