// Labels as values. A block address is a code address inside a function: it differs between the ISAs, and a
// table of them would keep pointing into the original when a resume entry is cloned. So labels become 1, 2, …
// and `goto *p` a switch over them. After the resume entries are made, the switches become indirect branches again, over a table that belongs
// to one function of one ISA: the back end copies an indirect branch, but not a switch, to where it is reached from, and interpreters
// live on that.
#include "transproc/Passes.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"

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

// The switch as a branch over a table of addresses. Labels are numbered from 1.
void restoreBranch(SwitchInst *Switch) {
  Function &F = *Switch->getFunction();
  IRBuilder<> B(Switch);
  uint64_t Last = 0;
  for (auto &Case : Switch->cases())
    Last = std::max(Last, Case.getCaseValue()->getZExtValue());
  SmallVector<Constant *, 64> Labels(Last + 1, ConstantPointerNull::get(B.getPtrTy()));
  for (auto &Case : Switch->cases())
    Labels[Case.getCaseValue()->getZExtValue()] = BlockAddress::get(&F, Case.getCaseSuccessor());
  auto *T = ArrayType::get(B.getPtrTy(), Labels.size());
  auto *Table = new GlobalVariable(*F.getParent(), T, /*isConstant=*/true, GlobalValue::PrivateLinkage,
                                   ConstantArray::get(T, Labels), "goto." + F.getName());
  Value *Address = B.CreateLoad(B.getPtrTy(), B.CreateInBoundsGEP(T, Table, {B.getInt64(0), Switch->getCondition()}));
  IndirectBrInst *Branch = B.CreateIndirectBr(Address, Switch->getNumCases());
  for (auto &Case : Switch->cases())
    Branch->addDestination(Case.getCaseSuccessor());
  Switch->eraseFromParent();
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
