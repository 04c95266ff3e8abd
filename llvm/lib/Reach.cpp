// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/Reach.h"
#include "transproc/Carriers.h"
#include "transproc/Jumps.h"
#include "transproc/Layout.h"
#include "transproc/Points.h"
#include "transproc/Steps.h"
#include "llvm/ADT/SCCIterator.h"
#include "llvm/Analysis/CallGraph.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace transproc {

// The function that is called, if only it can be: a weak name may be bound to another object's.
static const Function *exactCallee(const CallBase &Call) {
  const Value *Callee = Call.getCalledOperand()->stripPointerCasts();
  if (auto *Alias = dyn_cast<GlobalAlias>(Callee); Alias && !Alias->isInterposable())
    Callee = Alias->getAliaseeObject();
  auto *F = dyn_cast<Function>(Callee);
  return F && !F->isDeclaration() && F->hasExactDefinition() ? F : nullptr;
}

static const char *whyPinned(const Instruction &I) {
  if (auto *Call = dyn_cast<CallBase>(&I)) {
    if (Call->hasFnAttr(Attribute::ReturnsTwice) && !isJump(*Call))
      return "calls a function that returns twice"; // vfork
    if (isa<CallBrInst>(Call))
      return "calls with several successors";
    if (auto *C = dyn_cast<CallInst>(Call); C && C->isMustTailCall())
      return "has a musttail call";
  }
  if (auto *C = dyn_cast<IntrinsicInst>(&I); C && C->getIntrinsicID() == Intrinsic::stackrestore) {
    if (!isStackToken(C->getArgOperand(0)))
      return "restores a computed stack pointer";
  }
  if (I.isEHPad() && !isa<LandingPadInst>(I))
    return "has an exception handler of another system";
  Type *T = I.getType();
  if (!T->isVoidTy() && !isCarriable(T))
    return "has a value of a type that cannot be listed";
  return nullptr;
}

const char *whyPinned(const Function &F) {
  if (F.hasFnAttribute(Attribute::Naked))
    return "is naked";
  if (F.hasGC())
    return "has a garbage collector";
  if (F.isVarArg())
    return "is variadic";
  Type *Result = F.getReturnType();
  if (!Result->isVoidTy() && F.getDataLayout().getTypeAllocSize(Result) > RecordResultBytes)
    return "returns too large a value";
  for (const Instruction &I : instructions(F))
    if (const char *Why = whyPinned(I))
      return Why;
  return nullptr;
}

Reach::Reach(Module &M, FunctionAnalysisManager &FAM, const SitesOptions &Options) {
  if (!Options.LeafList.empty())
    readLeafList(Options.LeafList);
  for (const std::string &Name : Options.NotLeaves)
    Leaves.erase(Name);
  for (Function &F : M) {
    if (F.isDeclaration() || F.hasAvailableExternallyLinkage())
      continue;
    const char *Why = whyPinned(F);
    if (Why) {
      Pinned.insert({&F, Why});
      if (Options.Verbose)
        errs() << "transproc: " << F.getName() << " " << Why << ": not migratable\n";
    }
    if (Why || reachesByItself(F, FAM))
      Reaching.insert(&F);
  }
  close(M);
}

void Reach::readLeafList(const std::string &Path) {
  auto Buffer = MemoryBuffer::getFile(Path);
  if (!Buffer)
    report_fatal_error(Twine("cannot read ") + Path + ": " + Buffer.getError().message(), false);
  SmallVector<StringRef, 0> Lines;
  (*Buffer)->getBuffer().split(Lines, '\n', -1, false);
  for (StringRef Line : Lines)
    if (StringRef Name = Line.trim(); !Name.empty() && !Name.starts_with("#"))
      Leaves.insert(Name);
}

bool Reach::mayReach(const CallBase &Call) const {
  if (isa<IntrinsicInst>(Call) || Call.isInlineAsm())
    return false;
  if (const Function *Callee = exactCallee(Call))
    return Reaching.contains(Callee);
  auto *Callee = dyn_cast<Function>(Call.getCalledOperand()->stripPointerCasts());
  return !Callee || !Callee->isDeclaration() || (!Callee->isIntrinsic() && !isLeaf(*Callee));
}

// By a loop of its own, or a call whose callee is not known here. What takes the place of one of the C library's leaves gets no points in
// its loops: other objects call it as if it were that, and so do back ends on their own account.
bool Reach::reachesByItself(Function &F, FunctionAnalysisManager &FAM) const {
  for (const Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallBase>(&I); Call && !exactCallee(*Call) && mayReach(*Call))
      return true;
  return !(F.hasExternalLinkage() && isLeaf(F)) && mayLoopForLong(F, FAM.getResult<LoopAnalysis>(F), FAM.getResult<ScalarEvolutionAnalysis>(F));
}

// Recursive functions, and callers of what reaches.
void Reach::close(Module &M) {
  CallGraph Graph(M);
  for (Function &F : M)
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I); Call && !Call->getCalledFunction()) // by another name of the function: the graph knows none
        if (auto *Callee = exactCallee(*Call))
          Graph[&F]->addCalledFunction(Call, Graph[Callee]);
  for (auto It = scc_begin(&Graph); !It.isAtEnd(); ++It) {
    bool Any = It.hasCycle();
    for (CallGraphNode *Node : *It) {
      Any |= Node->getFunction() && Reaching.contains(Node->getFunction());
      for (auto &Edge : *Node)
        Any |= Edge.second->getFunction() && Reaching.contains(Edge.second->getFunction());
    }
    if (!Any)
      continue;
    for (CallGraphNode *Node : *It)
      if (Function *F = Node->getFunction(); F && !F->isDeclaration())
        Reaching.insert(F);
  }
}

} // namespace transproc
