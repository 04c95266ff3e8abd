// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// OpenMP for other devices, of which there are none. The front end is told of one (toolchain/compile.py), so that each directive
// that would use it leaves its traces: a function for each region, calls of the library for offloading, a list of variables.
#include "transproc/Passes.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace transproc {
namespace {

// One diagnostic for each place: a directive can leave several traces, and one of a template does in each instance.
class Report {
public:
  void add(const std::string &Place, const char *Error) {
    if (Places.insert(Place).second)
      errs() << Place << "error: " << Error << "\nnote: leave it out, or compile without -fopenmp\n";
  }
  unsigned count() const { return Places.size(); }

private:
  StringSet<> Places;
};

constexpr char NoDevice[] = "OpenMP's target: there is no other device";
constexpr char NoVariable[] = "OpenMP's declare target: there is no other device";

// A target region; what is outlined of it further has a name with dots.
bool isRegion(const Function &F) { return F.getName().starts_with("__omp_offloading_") && !F.getName().contains('.'); }

// Compiled without lines: the function that it was in, of "__omp_offloading_DEVICE_FILE_FUNCTION_lLINE".
std::string placeOfRegion(const Function &F) {
  if (F.getSubprogram())
    return placeOf(F);
  StringRef Name = F.getName().drop_front(StringRef("__omp_offloading_").size()).split('_').second.split('_').second;
  return F.getParent()->getSourceFileName() + ": in function '" + Name.rsplit("_l").first.str() + "': ";
}

// The line of the directive, which many of the calls do not have: in ident_t's text, ";FILE;FUNCTION;LINE;COLUMN;;".
std::string placeOfCall(const CallBase &Call) {
  auto *Variable = Call.arg_empty() ? nullptr : dyn_cast<GlobalVariable>(Call.getArgOperand(0));
  auto *Ident = Variable && Variable->hasInitializer() ? dyn_cast<ConstantStruct>(Variable->getInitializer()) : nullptr;
  auto *Text = Ident && Ident->getNumOperands() == 5 ? dyn_cast<GlobalVariable>(Ident->getOperand(4)) : nullptr;
  auto *Data = Text && Text->hasInitializer() ? dyn_cast<ConstantDataArray>(Text->getInitializer()) : nullptr;
  SmallVector<StringRef, 8> Parts;
  if (Data && Data->isCString())
    Data->getAsCString().split(Parts, ';');
  if (Parts.size() < 5 || Parts[3] == "0") // compiled without lines
    return placeOf(Call);
  return (Parts[1] + ":" + Parts[3] + ": ").str();
}

void findCalls(const Function &F, Report &R) {
  for (const Instruction &I : instructions(F)) {
    auto *Call = dyn_cast<CallBase>(&I);
    const Function *Callee = Call ? Call->getCalledFunction() : nullptr;
    if (Callee && Callee->getName().starts_with("__tgt_"))
      R.add(placeOfCall(*Call), NoDevice);
  }
}

// The variable, or function that is called through a pointer, of an entry of the list; null if G is none, or a region's.
const GlobalValue *declared(const GlobalVariable &G) {
  if (!G.getName().starts_with(".offloading.entry.") || !G.hasInitializer())
    return nullptr;
  auto *Entry = dyn_cast<ConstantStruct>(G.getInitializer());
  auto *Found = Entry ? dyn_cast<GlobalValue>(Entry->getOperand(0)) : nullptr;
  if (!Found || Found->getName().ends_with(".region_id"))
    return nullptr;
  auto *Reference = dyn_cast<GlobalVariable>(Found);
  if (Reference && Reference->getName().ends_with("_decl_tgt_ref_ptr") && Reference->hasInitializer())
    return dyn_cast<GlobalValue>(Reference->getInitializer());
  return Found;
}

} // namespace

unsigned printOffloading(const Module &M) {
  Report R;
  for (const Function &F : M)
    if (isRegion(F))
      R.add(placeOfRegion(F), NoDevice);
  for (const Function &F : M)
    findCalls(F, R);
  for (const GlobalVariable &G : M.globals())
    if (const GlobalValue *Found = declared(G))
      R.add(M.getSourceFileName() + ": '" + demangle(Found->getName()) + "': ", NoVariable);
  return R.count();
}

} // namespace transproc
