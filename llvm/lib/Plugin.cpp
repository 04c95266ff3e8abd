// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of the passes for opt: see Passes.h.
#include "transproc/Passes.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/PassPlugin.h"

using namespace llvm;
using namespace transproc;

static bool addPass(StringRef Name, ModulePassManager &MPM) {
  if (Name == "transproc-refuse")
    MPM.addPass(RefusePass());
  else if (Name == "transproc-varargs")
    MPM.addPass(VarargsPass());
  else if (Name == "transproc-computed-goto")
    MPM.addPass(ComputedGotoPass());
  else if (Name == "transproc-dispatch")
    MPM.addPass(DispatchPass());
  else if (Name == "transproc-atomics")
    MPM.addPass(AtomicsPass());
  else if (Name == "transproc-sections")
    MPM.addPass(SectionsPass());
  else if (Name == "transproc-sites")
    MPM.addPass(SitesPass({}));
  else if (Name.consume_front("transproc-sites<") && Name.consume_back(">")) {
    auto Options = parseSitesOptions(Name);
    if (!Options)
      return false;
    MPM.addPass(SitesPass(*Options));
  } else
    return false;
  return true;
}

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo __attribute__((visibility("default"))) llvmGetPassPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "transproc", "1", [](PassBuilder &PB) {
            PB.registerPipelineParsingCallback(
                [](StringRef Name, ModulePassManager &MPM, ArrayRef<PassBuilder::PipelineElement>) { return addPass(Name, MPM); });
          }};
}
