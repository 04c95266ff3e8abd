/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The steps of transproc-codegen.
#ifndef TRANSPROC_CODEGEN_H
#define TRANSPROC_CODEGEN_H

#include "transproc/Passes.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>
#include <optional>

namespace llvm {
class TargetPassConfig;
}

namespace transproc {

// One of the two ISAs, with the options given for it.
struct Target {
  std::string Isa;      // x86_64 or aarch64
  std::string March;    // as clang spells it: x86-64-v2, haswell; armv8.2-a+fp16, neoverse-n1
  std::string Added;    // features to add: +a,-b
  std::string Output;   // empty: not wanted
  std::string Features; // of all these
};

// Sets T.Features. Returns false after printing an error.
bool chooseProcessor(Target &T);

// Whether -mtune=NAME means a processor of the ISA.
bool canTuneFor(const Target &T, llvm::StringRef Name);

// Section .transproc.cpu (docs/format.md, section 3): what the processor must have for M, a line each, as /proc/cpuinfo names it.
void recordAbilities(llvm::Module &M, const llvm::TargetMachine &Machine);

// A machine of the ISA with the code generation options that stack maps demand. Ends the process if LLVM lacks the ISA.
std::unique_ptr<llvm::TargetMachine> makeMachine(const Target &T, llvm::CodeGenOptLevel Level);

// Whether one of the ISAs has a feature of this name, or compilers know it.
bool isFeature(llvm::StringRef Name);

// Whether one of the ISAs has a processor of this name, or x86_64 a vendor or a family.
bool isProcessor(llvm::StringRef Name);

// Prints one diagnostic for each feature or processor that M names, for a version of a function or to ask for it, and that no ISA has;
// returns their number.
unsigned printUnknownNames(const llvm::Module &M);

// Makes M a module for the machine.
void retarget(llvm::Module &M, llvm::TargetMachine &Machine);

struct PipelineOptions {
  char Level = '2';                  // 0, 1, 2, 3, s, z
  bool Fuse = false;                 // round x * y + z once where the source allows it
  bool ComputedGoto = true;          // lower labels as values
  std::optional<SitesOptions> Sites; // none: plain code
};

// Everything between the front end and code generation. Machine: whose cost model the optimiser shall use.
void optimize(llvm::Module &M, llvm::TargetMachine &Machine, const PipelineOptions &Options);

// Adds to a back end's passes those that are ours.
void addOwnPasses(llvm::TargetPassConfig &Config);

// Writes the object or assembly file; changes M. Returns false after printing an error.
bool emitFile(llvm::Module &M, llvm::TargetMachine &Machine, const std::string &Path, llvm::CodeGenFileType Type);

} // namespace transproc
#endif
