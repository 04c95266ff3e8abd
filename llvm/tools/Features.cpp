// Names of processors and their features, as users and programs give them: LLVM only warns of those that it does not know.
#include "Codegen.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Support/WithColor.h"

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
      addFeatures(Names, *makeMachine({Isa, "", "", ""}, CodeGenOptLevel::None));
    return Names;
  }();
  return Known.contains(Name);
}

void checkProcessor(const Target &T) {
  std::unique_ptr<TargetMachine> Machine = makeMachine({T.Isa, "", "", ""}, CodeGenOptLevel::None);
  if (!Machine->getMCSubtargetInfo()->isCPUStringValid(T.Cpu)) {
    WithColor::error() << T.Isa << ": unknown processor '" << T.Cpu << "'\n";
    exit(1);
  }
  StringSet<> Known;
  addFeatures(Known, *Machine);
  SmallVector<StringRef, 8> Features;
  StringRef(T.Features).split(Features, ',', -1, /*KeepEmpty=*/false);
  for (StringRef Feature : Features)
    if (!Known.contains(Feature.drop_front())) {
      WithColor::error() << T.Isa << ": unknown feature '" << Feature.drop_front() << "'\n";
      exit(1);
    }
}

} // namespace transproc
