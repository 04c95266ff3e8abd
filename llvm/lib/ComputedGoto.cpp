// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Labels as values. A block address is a code address inside a function: it differs between the ISAs, and a
// table of them would keep pointing into the original when a resume entry is cloned. So labels become 1, 2, …
// and `goto *p` a switch over them. After the resume entries are made, the switches become indirect branches again, over a table that belongs
// to one function of one ISA. Where points stand on the way to labels (Points.cpp) there is a second table, with which whoever plants
// breakpoints overwrites the first: an interpreter that runs freely looks nowhere whether somebody waits.
#include "transproc/Passes.h"
#include "transproc/Points.h"
#include "transproc/Steps.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PatternMatch.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace transproc {
namespace {

using Numbers = DenseMap<BasicBlock *, ConstantInt *>;

Numbers numberLabels(Function &F) {
  Numbers N;
  auto *I64 = Type::getInt64Ty(F.getContext());
  for (BasicBlock &BB : F) {
    BlockAddress *Address = BB.hasAddressTaken() ? BlockAddress::lookup(&BB) : nullptr;
    if (!Address)
      continue;
    auto *Number = ConstantInt::get(I64, N.size() + 1);
    N[&BB] = cast<ConstantInt>(Number);
    Address->replaceAllUsesWith(ConstantExpr::getIntToPtr(Number, Address->getType()));
    Address->destroyConstant();
  }
  return N;
}

void lowerBranch(IndirectBrInst *Branch, const Numbers &N) {
  IRBuilder<> B(Branch);
  BasicBlock *Nowhere = BasicBlock::Create(B.getContext(), "goto.unreachable", Branch->getFunction());
  new UnreachableInst(B.getContext(), Nowhere);
  Value *Label = B.CreatePtrToInt(Branch->getAddress(), B.getInt64Ty());
  SwitchInst *Switch = B.CreateSwitch(Label, Nowhere, Branch->getNumDestinations());
  SmallPtrSet<BasicBlock *, 16> Seen;
  for (BasicBlock *Target : successors(Branch)) {
    ConstantInt *Number = N.lookup(Target);
    if (Number && Seen.insert(Target).second)
      Switch->addCase(Number, Target);
    else
      Target->removePredecessor(Branch->getParent(), /*KeepOneInputPHIs=*/true);
  }
  Switch->setMetadata(DispatchMark, MDNode::get(B.getContext(), {}));
  Branch->eraseFromParent();
}

// An element of a constant array: the array's elements, and which.
struct Lookup {
  ConstantArray *Elements;
  Value *Index;
};

// The variable index of an address in an array of pointers that begins at a global variable; null if it has another shape.
Value *indexOf(const GetElementPtrInst &Element, const GlobalVariable &Table) {
  Type *T = Element.getSourceElementType();
  if (Element.getNumIndices() == 1 && T->isPointerTy())
    return Element.getOperand(1);
  if (Element.getNumIndices() == 2 && T == Table.getValueType() && match(Element.getOperand(1), PatternMatch::m_Zero()))
    return Element.getOperand(2);
  return nullptr;
}

// The program's own table, if a label comes from one, as an interpreter's does: `goto *table[opcode]`.
std::optional<Lookup> lookupOf(Value *Label) {
  if (auto *Cast = dyn_cast<PtrToIntInst>(Label))
    Label = Cast->getOperand(0);
  auto *Load = dyn_cast<LoadInst>(Label);
  auto *Element = Load ? dyn_cast<GetElementPtrInst>(Load->getPointerOperand()) : nullptr;
  auto *Table = Element ? dyn_cast<GlobalVariable>(Element->getPointerOperand()) : nullptr;
  if (!Table || !Table->isConstant() || !Table->hasDefinitiveInitializer() || Load->isVolatile())
    return std::nullopt;
  auto *Elements = dyn_cast<ConstantArray>(Table->getInitializer());
  Value *Index = Elements && Elements->getType()->getElementType()->isPointerTy() ? indexOf(*Element, *Table) : nullptr;
  return Index ? std::optional(Lookup{Elements, Index}) : std::nullopt;
}

// The number of a label in a table.
uint64_t numberOf(const Constant *Element) {
  auto *Cast = dyn_cast<ConstantExpr>(Element);
  auto *Number = Cast && Cast->getOpcode() == Instruction::IntToPtr ? dyn_cast<ConstantInt>(Cast->getOperand(0)) : nullptr;
  return Number ? Number->getZExtValue() : 0;
}

// Addresses of the labels of a switch, in the order of the program's own table or by number; labels are numbered from 1.
class LabelTables {
public:
  LabelTables(SwitchInst *Switch, std::optional<Lookup> Own) : Switch(Switch), Own(Own) {
    for (auto &Case : Switch->cases()) {
      uint64_t Number = Case.getCaseValue()->getZExtValue();
      (Number & ByPoint ? ByPoints : Labels)[Number & ~ByPoint] = Case.getCaseSuccessor();
      Last = std::max(Last, Number & ~ByPoint);
    }
  }

  // Where there are points, whoever plants breakpoints copies the second table over the first, as the sections lie one behind the other
  // (transproc/toolchain/layout.ld).
  GlobalVariable *make() {
    if (ByPoints.empty())
      return makeTable([&](uint64_t Number) { return Labels.lookup(Number); }, "");
    makeTable([&](uint64_t Number) { return ByPoints.contains(Number) ? ByPoints[Number] : Labels.lookup(Number); }, "transproc_points");
    return makeTable([&](uint64_t Number) { return Labels.lookup(Number); }, "transproc_labels");
  }

private:
  GlobalVariable *makeTable(function_ref<BasicBlock *(uint64_t)> LabelOf, StringRef Section) {
    Function &F = *Switch->getFunction();
    auto *Address = PointerType::getUnqual(F.getContext());
    SmallVector<Constant *, 64> Elements;
    for (uint64_t I = 0, N = Own ? Own->Elements->getNumOperands() : Last + 1; I < N; ++I) {
      BasicBlock *Label = LabelOf(Own ? numberOf(Own->Elements->getOperand(I)) : I);
      Elements.push_back(Label ? cast<Constant>(BlockAddress::get(&F, Label)) : ConstantPointerNull::get(Address));
    }
    auto *T = ArrayType::get(Address, Elements.size());
    auto *Table = new GlobalVariable(*F.getParent(), T, /*isConstant=*/true, GlobalValue::PrivateLinkage, ConstantArray::get(T, Elements),
                                     (Section == "transproc_points" ? "points." : "goto.") + F.getName());
    Table->setComdat(F.getComdat()); // of an inline function's copies the linker keeps one, with its tables
    if (!Section.empty()) {
      Table->setSection(Section);
      Table->setAlignment(Align(8));
      appendToCompilerUsed(*F.getParent(), Table);
    }
    return Table;
  }

  SwitchInst *Switch;
  std::optional<Lookup> Own;
  DenseMap<uint64_t, BasicBlock *> Labels, ByPoints;
  uint64_t Last = 0;
};

// The switch as a branch over a table of addresses. The load is volatile where the table may change.
void restoreBranch(SwitchInst *Switch) {
  IRBuilder<> B(Switch);
  std::optional<Lookup> Own = lookupOf(Switch->getCondition());
  GlobalVariable *Table = LabelTables(Switch, Own).make();
  Value *Slot = B.CreateInBoundsGEP(Table->getValueType(), Table, {B.getInt64(0), Own ? Own->Index : Switch->getCondition()});
  Value *Address = B.CreateLoad(B.getPtrTy(), Slot, /*isVolatile=*/Table->hasSection());
  IndirectBrInst *Branch = B.CreateIndirectBr(Address, Switch->getNumCases());
  SmallVector<uint32_t, 64> Weights; // nearly always not by the points
  SmallPtrSet<BasicBlock *, 32> Seen;
  for (auto &Case : Switch->cases()) {
    BasicBlock *Label = Case.getCaseSuccessor();
    if (!Seen.insert(Label).second) { // one edge suffices
      Label->removePredecessor(Switch->getParent(), /*KeepOneInputPHIs=*/true);
      continue;
    }
    Branch->addDestination(Label);
    Weights.push_back(Case.getCaseValue()->getZExtValue() & ByPoint ? 1 : DefaultStripLength);
  }
  if (Table->hasSection())
    Branch->setMetadata(LLVMContext::MD_prof, MDBuilder(B.getContext()).createBranchWeights(Weights));
  Value *Condition = Switch->getCondition();
  Switch->eraseFromParent();
  RecursivelyDeleteTriviallyDeadInstructions(Condition);
}

} // namespace

PreservedAnalyses ComputedGotoPass::run(Module &M, ModuleAnalysisManager &) {
  for (Function &F : M) {
    Numbers N = numberLabels(F);
    SmallVector<IndirectBrInst *, 4> Branches;
    for (BasicBlock &BB : F)
      if (auto *I = dyn_cast_or_null<IndirectBrInst>(BB.getTerminator()))
        Branches.push_back(I);
    for (IndirectBrInst *Branch : Branches)
      lowerBranch(Branch, N);
    makeDispatches(F);
  }
  return PreservedAnalyses::none();
}

PreservedAnalyses DispatchPass::run(Module &M, ModuleAnalysisManager &) {
  for (Function &F : M) {
    SmallVector<SwitchInst *, 4> Switches;
    for (BasicBlock &BB : F)
      if (auto *Switch = dyn_cast<SwitchInst>(BB.getTerminator()); Switch && Switch->hasMetadata(DispatchMark))
        Switches.push_back(Switch);
    for (SwitchInst *Switch : Switches)
      restoreBranch(Switch);
    if (!Switches.empty())
      EliminateUnreachableBlocks(F);
  }
  return PreservedAnalyses::none();
}

} // namespace transproc
