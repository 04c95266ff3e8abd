// Labels as values. A block address is a code address inside a function: it differs between the ISAs, and a
// table of them would keep pointing into the original when a resume entry is cloned. So labels become 1, 2, …
// and `goto *p` a switch over them.
//
// The optimiser leaves one `goto *p` in a function; the back end would copy an indirect branch, but not a switch, to where it is
// reached from. Interpreters live on that (one branch to predict for each instruction), so it is done here.
#include "transproc/Passes.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/PromoteMemToReg.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

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

BasicBlock *lowerBranch(IndirectBrInst *Branch, const Numbers &N) {
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
  return Switch->getParent();
}

constexpr unsigned MaxDispatchSize = 20; // as TailDuplicator's limit for indirect branches

// Puts values that are defined in BB and used elsewhere into variables, so that BB can be copied.
void demoteValues(BasicBlock &BB, SmallVectorImpl<AllocaInst *> &Variables) {
  for (PHINode &Phi : make_early_inc_range(BB.phis()))
    Variables.push_back(DemotePHIToStack(&Phi));
  SmallVector<Instruction *, 16> UsedElsewhere;
  for (Instruction &I : BB)
    if (I.isUsedOutsideOfBlock(&BB))
      UsedElsewhere.push_back(&I);
  for (Instruction *I : UsedElsewhere)
    Variables.push_back(DemoteRegToStack(*I));
}

// Replaces the branch from Predecessor to Dispatch by a copy of Dispatch.
void copyDispatch(BasicBlock &Dispatch, BasicBlock &Predecessor) {
  Instruction *Old = Predecessor.getTerminator();
  ValueToValueMapTy Map;
  for (Instruction &I : Dispatch) {
    Instruction *Copy = I.clone();
    Copy->insertBefore(Old->getIterator());
    Map[&I] = Copy;
    RemapInstruction(Copy, Map, RF_NoModuleLevelChanges | RF_IgnoreMissingLocals);
  }
  for (BasicBlock *Next : successors(&Dispatch))
    for (PHINode &Phi : Next->phis()) {
      Value *V = Phi.getIncomingValueForBlock(&Dispatch), *Copy = Map.lookup(V);
      Phi.addIncoming(Copy ? Copy : V, &Predecessor);
    }
  Old->eraseFromParent();
}

void threadDispatch(BasicBlock &Dispatch) {
  SmallVector<BasicBlock *, 16> From;
  for (BasicBlock *Predecessor : predecessors(&Dispatch))
    if (auto *Branch = dyn_cast<BranchInst>(Predecessor->getTerminator()); Branch && Branch->isUnconditional())
      From.push_back(Predecessor);
  if (From.size() < 2 || Dispatch.sizeWithoutDebug() > MaxDispatchSize ||
      any_of(Dispatch, [](Instruction &I) { return isa<CallBase>(I) || isa<AllocaInst>(I); }))
    return;
  SmallVector<AllocaInst *, 16> Variables;
  demoteValues(Dispatch, Variables);
  for (BasicBlock *Predecessor : From)
    copyDispatch(Dispatch, *Predecessor);
  if (pred_empty(&Dispatch))
    DeleteDeadBlock(&Dispatch);
  erase(Variables, nullptr);
  DominatorTree DT(*From.front()->getParent());
  PromoteMemToReg(Variables, DT);
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
      threadDispatch(*lowerBranch(Branch, N));
  }
  return PreservedAnalyses::none();
}

} // namespace transproc
