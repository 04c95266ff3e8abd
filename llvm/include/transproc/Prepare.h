/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Changes that make IR fit for sites, and for the other ISA.
#ifndef TRANSPROC_PREPARE_H
#define TRANSPROC_PREPARE_H

#include "llvm/IR/Function.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

namespace transproc {

// Removes what ties a module to the front end's target: CPU and ABI attributes and flags; and annotations, which keep functions that
// nobody calls.
void removeTargetAttributes(llvm::Module &M);

// __builtin_frame_address(0) becomes the address of an object of the frame, which keeps it when the process migrates;
// __builtin_setjmp and __builtin_longjmp (transproc-cc names them __transproc_builtin_...) become the C library's;
// a barrier's assembly is empty; an annotated value (transproc-cc asks so for features, see printUnknownNames) is the value.
void lowerBuiltins(llvm::Module &M);

// x * y + z that a back end may round once or twice is rounded once, where both processors have the instruction, also what only
// -ffp-contract=fast allows. Behind the optimiser, in front of the sites: decided once, and resume entries get the same.
void fuseMultiplyAdd(llvm::Module &M);

// What -ffast-math allows has been used by the optimiser, for both ISAs alike; a back end must not go on (x86_64's would
// estimate reciprocals).
void dropFastMath(llvm::Module &M);

// Sites read and write memory (all of it, seen from the IR): memory attributes no longer hold for functions
// that may reach one. Library intrinsics and the named leaf functions keep theirs.
void dropMemoryAttributes(llvm::Module &M, llvm::function_ref<bool(const llvm::CallBase &)> MayReach);

// byval arguments lie in the callee's incoming stack area, which nothing describes: the caller copies instead.
void lowerByVal(llvm::Function &F);

// Removes assumptions and scope markers, which do not survive cloning into resume entries.
void dropMarkers(llvm::Function &F);

// A copy of I at each use (one for each predecessor of a phi); erases I.
void copyToUses(llvm::Instruction &I);

// Copies of I at the given uses.
void copyToUses(llvm::Instruction &I, llvm::ArrayRef<llvm::Use *> Uses);

// Addresses of thread-local variables must not be live across a site: recomputes them at each use.
void sinkThreadLocalAddresses(llvm::Function &F);

} // namespace transproc
#endif
