/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The steps of transproc-sites for one function, after its sites are chosen.
#ifndef TRANSPROC_STEPS_H
#define TRANSPROC_STEPS_H

#include "transproc/Liveness.h"
#include "transproc/Site.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Module.h"
#include <string>

namespace transproc {

// Makes switches that are an interpreter's dispatch ones that stand for `goto *p` (DispatchMark).
void makeDispatches(llvm::Function &F);

// Calls in tail position that are followed by a jump to the function's common return get one of their own.
void giveTailCallsReturns(llvm::Function &F);

// The calls of F that both back ends make jumps of.
void findTailCalls(llvm::Function &F, SiteSet &Found);

// Attribute of functions that must end in jumps: the callees' names, for tools/Emit.cpp to make sure.
constexpr const char *TailCallees = "transproc-tail-callees";

// Tells the back ends to make a jump of a call.
void makeTailCall(llvm::CallInst &Call);

// Takes the calls' lists away again.
void makeTailCalls(llvm::ArrayRef<llvm::CallBase *> Calls);

// Recomputes cheap values (address arithmetic, casts, compares, operations with a constant) at their uses beyond a site instead
// of keeping them live across it: a list would keep alive what instruction selection folds into the use.
void rematerialize(llvm::Function &F, const SiteSet &Sites);

// Unoptimised code keeps the tokens of llvm.stacksave in variables; makes values of them.
void promoteStackTokens(llvm::Function &F);

// Is V what llvm.stacksave returned, at one place or, by phis, at one of several?
bool isStackToken(const llvm::Value *V);

// The lowest live dynamic address at each site, in the order of Sites; empty if F has no dynamic allocas.
llvm::SmallVector<llvm::Value *, 0> dynamicBottoms(llvm::Function &F, llvm::ArrayRef<Site> Sites);

// Moves values that are listed at MinSites sites or more, one of them in a loop, to stack objects of their own: stored once, where they
// are defined, and dropped from all lists. Values in Keep stay listed.
unsigned useHomeObjects(llvm::Function &F, llvm::MutableArrayRef<Site> Sites, llvm::ArrayRef<llvm::Value *> Keep,
                        unsigned MinSites);

// Gives every value that is live at a call of setjmp a stack object of its own: the second return may find it nowhere else. Values in
// Keep stay listed at other sites.
unsigned homeJumps(llvm::Function &F, llvm::MutableArrayRef<Site> Sites, llvm::ArrayRef<llvm::Value *> Keep);

// Attaches each site's list to its call, and brings Sites up to date with the new calls. Bools: see Carriers.h. Returns display lines, one for each site.
std::string attachLists(llvm::Function &F, llvm::MutableArrayRef<Site> Sites, llvm::SmallVectorImpl<llvm::Instruction *> &Bools);

// Appends the list of stack objects to each site of F that no other one dominates. A back end may find one of these unreachable, and
// drop it, but then also what it dominates: if F has a record at all, it has one with the list.
void attachObjects(llvm::Function &F, llvm::MutableArrayRef<Site> Sites, llvm::ArrayRef<llvm::AllocaInst *> Objects, bool Dynamic);

// Computes each i1's image once, where the i1 is defined.
void hoistBools(llvm::Function &F, llvm::ArrayRef<llvm::Instruction *> Bools);

// Compares addresses of stack objects as numbers. Where a branch asks for two comparisons the back end brings their operands to later
// blocks in registers; of an object a list would then name that register instead of the object's place.
void compareAsNumbers(llvm::Function &F);

// Turns the calls with lists into statepoints.
void convertToStatepoints(llvm::Function &F);

// Makes F.resume. Must see F with its lists attached, before attachObjects and convertToStatepoints.
llvm::Function *makeResumeEntry(llvm::Function &F, llvm::ArrayRef<Site> Sites, llvm::ArrayRef<llvm::AllocaInst *> Objects,
                                unsigned PromoteLimit);

// Brings what comes from very many paths to a place outside loops there by way of memory.
void keepLargeJoinsInMemory(llvm::Function &Resume);

// A slot of a resume entry that is read where nothing may have been stored in it yet; null if there is none. RestoredAt: slots that a
// table has filled when a block begins.
llvm::AllocaInst *findUnsetSlot(llvm::Function &Resume, llvm::ArrayRef<llvm::AllocaInst *> Slots,
                                llvm::function_ref<llvm::SmallVector<llvm::AllocaInst *, 0>(const llvm::BasicBlock &)> RestoredAt);

// Rows of .transproc.functions, lines of .transproc.values and .transproc.pinned.
struct Tables {
  struct Row {
    llvm::Function *F, *Resume;
    uint64_t IdBase;
  };
  llvm::SmallVector<Row, 0> Rows;
  std::string Lines, Pinned;
  void emit(llvm::Module &M) const;
};

} // namespace transproc
#endif
