// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of processors and of their features, as programs give them: LLVM only warns of those that it does not know.
#include "Codegen.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/TargetParser/AArch64TargetParser.h"

using namespace llvm;

namespace transproc {

// Names that compilers have for features, but LLVM's back ends have not.
static const StringRef OtherFeatures[] = {
    "abm", "sse4", "rdpid", "general-regs-only", "fp", "fp16", "simd", "rng", "memtag", "profile", "recip",
    // __builtin_cpu_supports (GCC: gcc/common/config/i386/i386-isas.h)
    "3dnow", "3dnowp", "aeskle", "avx5124fmaps", "avx5124vnniw", "avx512er", "avx512pf", "cmpxchg16b", "cmpxchg8b", "fxsave", "hle", "ibt",
    "lahf_lm", "lm", "osxsave", "prefetchwt1", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "apxf", "avx10.1"};

// What __builtin_cpu_is knows beyond the names of processors: vendors and families (of libgcc and compiler-rt).
static const StringRef OtherProcessors[] = {
#define X86_VENDOR(Enum, Name) Name,
#define X86_CPU_TYPE(Enum, Name) Name,
#define X86_CPU_TYPE_ALIAS(Enum, Name) Name,
#define X86_CPU_SUBTYPE(Enum, Name) Name,
#define X86_CPU_SUBTYPE_ALIAS(Enum, Name) Name,
#include "llvm/TargetParser/X86TargetParser.def"
    "zhaoxin", "lujiazui", "yongfeng"};

template <typename T> static void addNames(StringSet<> &Names, ArrayRef<T> Table) {
  for (const T &Entry : Table)
    Names.insert(Entry.Key);
}

static StringSet<> namesOfBoth(ArrayRef<StringRef> Others, function_ref<void(StringSet<> &, const MCSubtargetInfo &)> Add) {
  StringSet<> Names;
  for (StringRef Other : Others)
    Names.insert(Other);
  for (const char *Isa : {"x86_64", "aarch64"})
    Add(Names, *makeMachine({Isa, "", "", "", ""}, CodeGenOptLevel::None)->getMCSubtargetInfo());
  return Names;
}

bool isFeature(StringRef Name) {
  static const StringSet<> Known = namesOfBoth(OtherFeatures, [](StringSet<> &Names, const MCSubtargetInfo &Machine) {
    addNames(Names, Machine.getAllProcessorFeatures());
  });
  return Known.contains(Name) || AArch64::parseFMVExtension(Name);
}

bool isProcessor(StringRef Name) {
  static const StringSet<> Known = namesOfBoth(OtherProcessors, [](StringSet<> &Names, const MCSubtargetInfo &Machine) {
    addNames(Names, Machine.getAllProcessorDescriptions());
  });
  return Known.contains(Name);
}

} // namespace transproc
