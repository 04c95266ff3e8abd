// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of features and processors in a program that has versions of a function, or asks for one: its code is for every processor all the
// same, and the answer is no, but what no ISA has is a mistake.
#include "Codegen.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace transproc {
namespace {

// The rest of a diagnostic, behind its place.
void printUnknown(StringRef What, StringRef Kind, StringRef Name, const char *Note) {
  errs() << "error: " << What << ": no ISA has the " << Kind << " '" << Name << "'\nnote: " << Note << "\n";
}

constexpr char AllTheSame[] = "code is compiled for every processor that the baseline covers, whatever the attribute says";
constexpr char AnswerIsNo[] = "the answer is no for every name, as the code is for every processor that the baseline covers";

// Names of features that the front end's own target has.
bool isFrontEnds(StringRef Name) { return is_contained({"64bit", "d", "f", "lsx", "ual", "relax"}, Name); }

// target("...") of a function.
unsigned printUnknownFeatures(const Function &F) {
  unsigned Count = 0;
  SmallVector<StringRef, 8> Features;
  F.getFnAttribute("target-features").getValueAsString().split(Features, ',', -1, /*KeepEmpty=*/false);
  for (StringRef Feature : Features) {
    StringRef Name = Feature.drop_front();       // + or -
    if (Name.consume_front("+") && !isFeature(Name)) // as aarch64's compilers spell them: "+sve", "+nosimd"
      Name.consume_front("no");
    if (isFrontEnds(Name) || isFeature(Name))
      continue;
    ++Count;
    printPlace(F);
    printUnknown("target attribute", "feature", Name, AllTheSame);
  }
  return Count;
}

// Those of the features in "sve+bf16" that no ISA has.
SmallVector<StringRef, 4> unknownFeatures(StringRef Text) {
  SmallVector<StringRef, 4> Names;
  Text.split(Names, '+');
  erase_if(Names, isFeature);
  return Names;
}

// __builtin_cpu_supports(NAME), in transproc-cc's words an annotation with NAME of an annotation with the builtin's name.
unsigned printUnknownAnswer(const Instruction &I) {
  auto *Call = dyn_cast<IntrinsicInst>(&I);
  if (!Call || Call->getIntrinsicID() != Intrinsic::annotation)
    return 0;
  auto *Inner = dyn_cast<IntrinsicInst>(Call->getArgOperand(0));
  StringRef Builtin, Text;
  if (!Inner || Inner->getIntrinsicID() != Intrinsic::annotation || !getConstantStringInfo(Inner->getArgOperand(1), Builtin) ||
      !getConstantStringInfo(Call->getArgOperand(1), Text))
    return 0;
  bool Processors = Builtin == "__builtin_cpu_is";
  if (!Processors && Builtin != "__builtin_cpu_supports")
    return 0;
  SmallVector<StringRef, 4> Unknown;
  if (!Processors)
    Unknown = unknownFeatures(Text);
  else if (!isProcessor(Text))
    Unknown = {Text};
  for (StringRef Name : Unknown) {
    printPlace(I);
    printUnknown(Builtin, Processors ? "processor" : "feature", Name, AnswerIsNo);
  }
  return Unknown.size();
}

// One string of target_clones: "default", "arch=haswell", "avx2", "sve+bf16"; GCC takes several, with commas.
unsigned printUnknownClone(StringRef Text, function_ref<void()> PrintPlace) {
  unsigned Count = 0;
  SmallVector<StringRef, 4> Clones;
  Text.split(Clones, ',');
  for (StringRef Clone : Clones) {
    bool Processor = Clone.consume_front("arch=");
    SmallVector<StringRef, 4> Unknown;
    if (!Processor && Clone != "default")
      Unknown = unknownFeatures(Clone);
    else if (Processor && !isProcessor(Clone))
      Unknown = {Clone};
    for (StringRef Name : Unknown) {
      ++Count;
      PrintPlace();
      printUnknown("target_clones", Processor ? "processor" : "feature", Name, AllTheSame);
    }
  }
  return Count;
}

// target_clones(...) of a function, in transproc-cc's words an annotation of that name.
unsigned printUnknownClones(const ConstantStruct &Annotation) {
  StringRef Attribute, File;
  auto *Arguments = dyn_cast<GlobalVariable>(Annotation.getOperand(4));
  if (!getConstantStringInfo(Annotation.getOperand(1), Attribute) || Attribute != "target_clones" || !Arguments)
    return 0;
  getConstantStringInfo(Annotation.getOperand(2), File);
  auto PrintPlace = [&] { errs() << File << ":" << cast<ConstantInt>(Annotation.getOperand(3))->getZExtValue() << ": "; };
  unsigned Count = 0;
  for (const Use &Argument : Arguments->getInitializer()->operands())
    if (StringRef Text; getConstantStringInfo(Argument, Text))
      Count += printUnknownClone(Text, PrintPlace);
  return Count;
}

} // namespace

unsigned printUnknownNames(const Module &M) {
  unsigned Count = 0;
  if (const GlobalVariable *Annotations = M.getNamedGlobal("llvm.global.annotations"))
    for (const Use &Annotation : Annotations->getInitializer()->operands())
      Count += printUnknownClones(*cast<ConstantStruct>(Annotation));
  for (const Function &F : M) {
    if (!F.isDeclaration())
      Count += printUnknownFeatures(F);
    for (const Instruction &I : instructions(F))
      Count += printUnknownAnswer(I);
  }
  return Count;
}

} // namespace transproc
