// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// transproc-refuse: finds what would compile but could not migrate, and says where it is.
#include "transproc/Passes.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>

using namespace llvm;

namespace transproc {
namespace {

struct Refusal {
  const char *Error = nullptr;
  const char *Remedy = nullptr;
};

// Whether there is nothing to assemble: a compiler barrier, or one that says in a comment what it is for. A `#` that begins a line
// begins a comment for every back end.
bool isBarrier(StringRef Text) {
  for (StringRef Rest = Text; !Rest.empty();) {
    auto [Line, Others] = Rest.split('\n');
    if (!Line.trim().empty() && !Line.trim().starts_with("#"))
      return false;
    Rest = Others;
  }
  return true;
}

Refusal checkAsm(const InlineAsm &Asm) {
  if (isBarrier(Asm.getAsmString()))
    return {};
  return {"inline assembly cannot migrate",
          "write it in C, or move it to a function that is built for each ISA and never blocks"};
}

Refusal checkIntrinsic(const CallBase &Call) {
  switch (Call.getIntrinsicID()) {
  case Intrinsic::returnaddress:
    return {"__builtin_return_address cannot migrate", "code addresses inside functions differ between ISAs"};
  case Intrinsic::frameaddress:
    if (cast<ConstantInt>(Call.getArgOperand(0))->isZero()) // lowerBuiltins
      return {};
    return {"__builtin_frame_address of a caller cannot migrate",
            "frames are laid out anew when a process migrates; __builtin_frame_address(0) works"};
  case Intrinsic::thread_pointer:
    return {"__builtin_thread_pointer cannot migrate", "use a thread-local variable"};
  default:
    return {};
  }
}

Refusal checkInstruction(const Instruction &I) {
  if (isa<CallBrInst>(I))
    return {"asm goto cannot migrate", "write it in C"};
  auto *Call = dyn_cast<CallBase>(&I);
  if (!Call)
    return {};
  if (auto *Asm = dyn_cast<InlineAsm>(Call->getCalledOperand()))
    return checkAsm(*Asm);
  return checkIntrinsic(*Call);
}

// Clang takes what a path has in common with the current directory for the directory of the file.
std::string pathOf(StringRef Directory, StringRef Name) {
  SmallString<128> Here;
  if (sys::path::is_absolute(Name) || sys::fs::current_path(Here) || Here == Directory)
    return Name.str();
  SmallString<128> Path(Directory);
  sys::path::append(Path, Name);
  return Path.str().str();
}

void printRefusal(const Refusal &R) { errs() << "error: " << R.Error << "\nnote: " << R.Remedy << "\n"; }

} // namespace

std::string placeOf(const Function &F) {
  if (const DISubprogram *S = F.getSubprogram())
    return pathOf(S->getDirectory(), S->getFilename()) + ":" + std::to_string(S->getLine()) + ": ";
  return F.getParent()->getSourceFileName() + ": in function '" + F.getName().str() + "': ";
}

std::string placeOf(const Instruction &I) {
  const DebugLoc &Loc = I.getDebugLoc();
  if (!Loc)
    return placeOf(*I.getFunction());
  std::string File = pathOf(Loc->getDirectory(), Loc->getFilename());
  return File + ":" + std::to_string(Loc.getLine()) + ":" + std::to_string(Loc.getCol()) + ": ";
}

void printPlace(const Function &F) { errs() << placeOf(F); }

void printPlace(const Instruction &I) { errs() << placeOf(I); }

unsigned printRefusals(Module &M) {
  unsigned Count = 0;
  if (!StringRef(M.getModuleInlineAsm()).trim().empty()) { // its place is not in the IR: transproc-cc looks for it
    ++Count;
    errs() << M.getSourceFileName() << ": ";
    printRefusal({"assembly at file level cannot migrate", "write it for each ISA, as NAME.x86_64.S and NAME.aarch64.S"});
  }
  for (const GlobalIFunc &I : M.ifuncs()) { // its resolver is the nearest thing that has a line
    ++Count;
    printPlace(*I.getResolverFunction());
    printRefusal({"ifunc cannot migrate", "choose the variant at compile time, or by a variable"});
  }
  for (Function &F : M)
    for (Instruction &I : instructions(F))
      if (Refusal R = checkInstruction(I); R.Error) {
        ++Count;
        printPlace(I);
        printRefusal(R);
      }
  return Count + printOffloading(M);
}

PreservedAnalyses RefusePass::run(Module &M, ModuleAnalysisManager &) {
  if (printRefusals(M))
    std::exit(RefusedStatus);
  return PreservedAnalyses::all();
}

} // namespace transproc
