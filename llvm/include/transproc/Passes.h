/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The passes, in the order in which transproc-codegen runs them:
//   transproc-refuse, transproc-varargs, (optimiser), transproc-computed-goto, transproc-sites, transproc-sections,
//   transproc-dispatch.
// With opt: opt-19 -load-pass-plugin=transproc.so -passes='transproc-varargs,default<O2>,transproc-sites'
#ifndef TRANSPROC_PASSES_H
#define TRANSPROC_PASSES_H

#include "transproc/Points.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/PassManager.h"
#include <optional>
#include <string>
#include <vector>

namespace transproc {

// Reports what cannot move between ISAs (inline assembly, ifuncs, return addresses...) and ends the
// process with status 3 if there is anything. Compilers that want to go on use refusals().
struct RefusePass : llvm::PassInfoMixin<RefusePass> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};
// Prints one diagnostic for each construct that cannot migrate; returns their number.
unsigned printRefusals(llvm::Module &M);
// That of OpenMP's target directives, a part of them.
unsigned printOffloading(const llvm::Module &M);
// The beginning of a diagnostic: file and line, or what else is known.
std::string placeOf(const llvm::Function &F);
std::string placeOf(const llvm::Instruction &I);
void printPlace(const llvm::Function &F);
void printPlace(const llvm::Instruction &I);
constexpr int RefusedStatus = 3;

// Variadic functions take a pointer to 8-byte slots instead; va_list is that pointer.
struct VarargsPass : llvm::PassInfoMixin<VarargsPass> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// Labels as values become small integers, indirect branches switches; so do switches by which an interpreter goes on.
struct ComputedGotoPass : llvm::PassInfoMixin<ComputedGotoPass> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// Makes indirect branches of them, over tables of each ISA; after transproc-sites and transproc-sections.
struct DispatchPass : llvm::PassInfoMixin<DispatchPass> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// Floating-point arithmetic becomes what both back ends round alike: see Prepare.h.
class FloatingPointPass : public llvm::PassInfoMixin<FloatingPointPass> {
public:
  explicit FloatingPointPass(bool Fuse) : Fuse(Fuse) {}
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }

private:
  bool Fuse;
};

struct SitesOptions {
  std::string LeafList;         // file with names of external functions that reach no equivalence point
  std::vector<std::string> NotLeaves; // names of that file that reach one in this program
  bool Stress = false;          // call transproc_hook() at each point and function entry
  bool Verbose = false;         // counts, and reasons for functions left alone
  bool Points = true;           // (experiments) loop points
  bool Rematerialize = true;    // (experiments)
  unsigned Forget = ~0U;        // (tests) the site of each function that loses the last value of its list
  bool TailCalls = true;
  PointOptions Loops;
  unsigned HomeSites = 4;       // a value listed at so many sites may get a home object; 0: never
  unsigned PromoteLimit = 8; // sites that list a value above which a resume entry keeps it in memory
};

// Reads "leaf-list=FILE;stress;verbose;no-points;no-rematerialize;no-strip-mine;forget=N;strip=N;direct=N;home=N;promote-limit=N".
std::optional<SitesOptions> parseSitesOptions(llvm::StringRef Text);

// Makes every function migratable: statepoints, loop points, resume entries, tables.
class SitesPass : public llvm::PassInfoMixin<SitesPass> {
public:
  explicit SitesPass(SitesOptions Options) : Options(std::move(Options)) {}
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &AM);
  static bool isRequired() { return true; }

private:
  SitesOptions Options;
};

// Atomic arithmetic on floating-point numbers becomes a loop of exchanges.
struct AtomicsPass : llvm::PassInfoMixin<AtomicsPass> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// Gives each datum and function its section and alignment, so that both ISAs lay them out alike.
struct SectionsPass : llvm::PassInfoMixin<SectionsPass> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

} // namespace transproc
#endif
