// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What -march means for each ISA in LLVM's words, and which of a processor's abilities the code then needs, in the words of Linux.
#include "Codegen.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Support/WithColor.h"
#include "llvm/TargetParser/AArch64TargetParser.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace transproc {
namespace {

// An LLVM feature, and what /proc/cpuinfo calls it (arch/x86/include/asm/cpufeatures.h, arch/arm64/kernel/cpuinfo.c). Those that code
// can only reach by intrinsics of their own are left out.
struct Ability {
  const char *Feature;
  const char *Name;
};

constexpr Ability X86Abilities[] = {
    {"+sse3", "pni"},          {"+ssse3", "ssse3"},       {"+sse4.1", "sse4_1"},      {"+sse4.2", "sse4_2"},
    {"+sse4a", "sse4a"},       {"+popcnt", "popcnt"},     {"+sahf", "lahf_lm"},       {"+avx", "avx"},
    {"+avx2", "avx2"},         {"+bmi", "bmi1"},          {"+bmi2", "bmi2"},          {"+f16c", "f16c"},
    {"+fma", "fma"},           {"+fma4", "fma4"},         {"+xop", "xop"},            {"+tbm", "tbm"},
    {"+lzcnt", "abm"},         {"+movbe", "movbe"},       {"+pclmul", "pclmulqdq"},   {"+aes", "aes"},
    {"+sha", "sha_ni"},        {"+adx", "adx"},           {"+gfni", "gfni"},          {"+avxvnni", "avx_vnni"},
    {"+avx512f", "avx512f"},   {"+avx512cd", "avx512cd"}, {"+avx512bw", "avx512bw"},  {"+avx512dq", "avx512dq"},
    {"+avx512vl", "avx512vl"}, {"+avx512vbmi", "avx512vbmi"}, {"+avx512vnni", "avx512_vnni"}, {"+avx512fp16", "avx512_fp16"},
    {"+avx512bitalg", "avx512_bitalg"}, {"+avx512vpopcntdq", "avx512_vpopcntdq"}, {"+avx512ifma", "avx512ifma"},
    {"+avx512bf16", "avx512_bf16"}, {"+avx512vbmi2", "avx512_vbmi2"},
};

constexpr Ability ArmAbilities[] = {
    {"+neon", "asimd"},     {"+lse", "atomics"},    {"+rdm", "asimdrdm"},   {"+crc", "crc32"},    {"+fullfp16", "fphp"},
    {"+fullfp16", "asimdhp"}, {"+dotprod", "asimddp"}, {"+rcpc", "lrcpc"},  {"+rcpc-immo", "ilrcpc"}, {"+jsconv", "jscvt"},
    {"+complxnum", "fcma"}, {"+sha2", "sha2"},      {"+sha3", "sha3"},      {"+aes", "aes"},      {"+sve", "sve"},
    {"+sve2", "sve2"},      {"+flagm", "flagm"},    {"+altnzcv", "flagm2"}, {"+fptoint", "frint"}, {"+bf16", "bf16"},
    {"+i8mm", "i8mm"},      {"+lse2", "uscat"},     {"+fp16fml", "asimdfhm"}, {"+pauth", "paca"}, {"+cssc", "cssc"},
    {"+mops", "mops"},
};

bool x86Features(StringRef March, std::vector<std::string> &Features) {
  if (X86::parseArchX86(March, /*Only64Bit=*/true) == X86::CK_None)
    return false;
  SmallVector<StringRef, 64> Names;
  X86::getFeaturesForCPU(March, Names);
  for (StringRef Name : Names)
    Features.push_back("+" + Name.str());
  return true;
}

// armv8.2-a+fp16, or a processor's name.
bool armFeatures(StringRef March, std::vector<std::string> &Features) {
  AArch64::ExtensionSet Extensions;
  auto [Name, Modifiers] = March.split('+');
  if (const AArch64::ArchInfo *Arch = AArch64::parseArch(Name))
    Extensions.addArchDefaults(*Arch);
  else if (std::optional<AArch64::CpuInfo> Cpu = AArch64::parseCpu(Name))
    Extensions.addCPUDefaults(*Cpu);
  else
    return false;
  SmallVector<StringRef, 4> Words;
  Modifiers.split(Words, '+', -1, /*KeepEmpty=*/false);
  for (StringRef Word : Words)
    if (!Extensions.parseModifier(Word))
      return false;
  Extensions.toLLVMFeatureList(Features);
  return true;
}

// The front end's baseline has 16-byte atomics, which x86_64 has only where cmpxchg16b is. Few programs use them.
bool hasWideAtomics(const Module &M) {
  const DataLayout &DL = M.getDataLayout();
  for (const Function &F : M)
    for (const Instruction &I : instructions(F))
      if (I.isAtomic() && !isa<FenceInst>(I)) {
        const Value *V = isa<StoreInst>(I) ? I.getOperand(0) : isa<LoadInst>(I) ? &I : I.getOperand(1);
        if (!V->getType()->isVoidTy() && DL.getTypeStoreSize(V->getType()) >= 16)
          return true;
      }
  return false;
}

} // namespace

bool chooseProcessor(Target &T) {
  bool X86 = T.Isa == "x86_64";
  std::vector<std::string> Features;
  if (!(X86 ? x86Features(T.March, Features) : armFeatures(T.March, Features))) {
    WithColor::error() << "-march=" << T.March << ": " << T.Isa << " has no such processor\n";
    return false;
  }
  Features.push_back(X86 ? "+cx16" : "-outline-atomics");
  SmallVector<StringRef, 16> Added;
  StringRef(T.Added).split(Added, ',', -1, /*KeepEmpty=*/false);
  for (StringRef Feature : Added)
    Features.push_back(Feature.str());
  T.Features = join(Features, ",");
  return true;
}

bool canTuneFor(const Target &T, StringRef Name) {
  if (T.Isa == "x86_64")
    return X86::parseTuneCPU(Name, /*Only64Bit=*/true) != X86::CK_None;
  return AArch64::parseCpu(Name).has_value();
}

void recordAbilities(Module &M, const TargetMachine &Machine) {
  const MCSubtargetInfo &Has = *Machine.getMCSubtargetInfo();
  bool X86 = Machine.getTargetTriple().isX86();
  std::string Lines;
  for (const Ability &A : X86 ? ArrayRef<Ability>(X86Abilities) : ArrayRef<Ability>(ArmAbilities))
    if (Has.checkFeatures(A.Feature))
      Lines += std::string(A.Name) + "\n";
  if (X86 && hasWideAtomics(M))
    Lines += "cx16\n";
  Constant *Text = ConstantDataArray::getString(M.getContext(), Lines, /*AddNull=*/false);
  auto *G = new GlobalVariable(M, Text->getType(), /*isConstant=*/true, GlobalValue::PrivateLinkage, Text, "__transproc_cpu");
  G->setSection(".transproc.cpu");
  G->setAlignment(Align(1));
  appendToCompilerUsed(M, {G});
}

} // namespace transproc
