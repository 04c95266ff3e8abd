// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// transproc-sections: the last IR pass. Each datum gets a section of its own, named by its kind (docs/format.md,
// section 2), and a final alignment, so that sorting sections by name of prefix lays both binaries out alike.
#include "transproc/Passes.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace transproc {
namespace {

const Align CommonAlignment(16); // functions, and data of 16 bytes or more
const Align LoopAlignment(32);   // functions with loops, unless for size: a processor fetches code by 32 bytes or more, and where among them the
                                 // jumps of a loop lie (16 bytes up or down: BitBench/drop3 1.0 to 1.2) is then not left to the linker

std::string sectionSuffix(const GlobalVariable &G, unsigned &Locals) {
  std::string Name = G.getName().str();
  if (G.hasLocalLinkage())
    Name += "." + std::to_string(Locals++);
  return Name;
}

void placeData(GlobalVariable &G, const std::string &Suffix) {
  bool Zero = G.getInitializer()->isNullValue();
  if (G.isThreadLocal())
    G.setSection((Zero ? ".tbss." : ".tdata.") + Suffix);
  else if (G.isConstant())
    G.setSection((G.getInitializer()->needsRelocation() ? ".tp.relro." : ".tp.ro.") + Suffix);
  else if (Zero) // the attribute, unlike an explicit section, keeps the section empty in the file
    G.addAttribute("bss-section", ".tp.bss." + Suffix);
  else
    G.setSection(".tp.data." + Suffix);
}

void placeVariable(GlobalVariable &G, unsigned &Locals) {
  if (!G.hasName()) // a back end would number those in the order in which it meets them
    G.setName("unnamed");
  const DataLayout &DL = G.getDataLayout();
  Align A = DL.getValueOrABITypeAlignment(G.getAlign(), G.getValueType());
  bool UserSection = G.hasSection() || G.hasImplicitSection();
  // arrays gathered in a user's section (init_array, linker sets) must stay dense
  if (!UserSection && DL.getTypeAllocSize(G.getValueType()) >= CommonAlignment.value())
    A = std::max(A, CommonAlignment);
  G.setAlignment(A);
  if (UserSection || G.hasCommonLinkage()) // -fcommon: transproc-cc defines it when it links
    return;
  G.setUnnamedAddr(GlobalValue::UnnamedAddr::None); // else the linker would merge equal constants
  if (G.hasPrivateLinkage())
    G.setLinkage(GlobalValue::InternalLinkage);
  placeData(G, sectionSuffix(G, Locals));
}

bool hasLoopForSpeed(const Function &F) {
  if (F.hasOptSize() || F.hasOptNone() || F.hasFnAttribute(Attribute::Cold) || F.getSection().starts_with(".text.resume."))
    return false;
  SmallVector<std::pair<const BasicBlock *, const BasicBlock *>, 8> BackEdges;
  FindFunctionBackedges(F, BackEdges);
  return !BackEdges.empty();
}

// Sections are padded to one size, so each holds one function: static initialisers share .text.startup, and so may what a program
// puts into a section of its choice.
void placeFunction(Function &F) {
  F.setAlignment(std::max(F.getAlign().valueOrOne(), hasLoopForSpeed(F) ? LoopAlignment : CommonAlignment));
  if (StringRef Section = F.getSection(); !Section.empty() && !Section.starts_with(".text.resume."))
    F.setSection(((Section.starts_with(".text.") ? "" : ".text.") + Section + "." + F.getName()).str());
}

} // namespace

PreservedAnalyses SectionsPass::run(Module &M, ModuleAnalysisManager &) {
  unsigned Locals = 0;
  for (GlobalVariable &G : M.globals())
    if (!G.isDeclaration() && !G.getName().starts_with("llvm."))
      placeVariable(G, Locals);
  for (Function &F : M)
    if (!F.isDeclaration())
      placeFunction(F);
  return PreservedAnalyses::all();
}

} // namespace transproc
