// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of processors' features, as programs give them: LLVM only warns of those that it does not know.
#include "Codegen.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/MC/MCSubtargetInfo.h"

using namespace llvm;

namespace transproc {

// Names that compilers have for features, but LLVM's back ends have not.
static const StringRef Others[] = {"abm", "sse4", "rdpid", "general-regs-only", "fp", "fp16", "simd", "rng", "memtag", "profile", "recip"};

static void addFeatures(StringSet<> &Names, const TargetMachine &Machine) {
  for (const SubtargetFeatureKV &Feature : Machine.getMCSubtargetInfo()->getAllProcessorFeatures())
    Names.insert(Feature.Key);
}

bool isFeature(StringRef Name) {
  static const StringSet<> Known = [] {
    StringSet<> Names;
    for (StringRef Other : Others)
      Names.insert(Other);
    for (const char *Isa : {"x86_64", "aarch64"})
      addFeatures(Names, *makeMachine({Isa, "", "", "", ""}, CodeGenOptLevel::None));
    return Names;
  }();
  return Known.contains(Name);
}

} // namespace transproc
