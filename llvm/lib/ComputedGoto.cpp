// Labels as values. A block address is a code address inside a function: it differs between the ISAs, and a
// table of them would keep pointing into the original when a resume entry is cloned. So labels become 1, 2, …
// and `goto *p` a switch over them.
#include "transproc/Passes.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

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
  Branch->eraseFromParent();
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

} // namespace transproc
