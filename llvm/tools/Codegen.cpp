// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// transproc-codegen: everything after the front end, for one C file and both ISAs, in one process.
//
//   clang-19 --target=loongarch64-linux-musl -O2 -Xclang -disable-llvm-passes -emit-llvm -c f.c -o f.bc
//   transproc-codegen -O2 f.bc -o-x86_64 f.x86_64.o -o-aarch64 f.aarch64.o
//
// Exit status: 0, 1 failed, 3 the file has something that cannot migrate.
#include "Codegen.h"
#include "transproc/Layout.h"
#include "transproc/Prepare.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/CodeGen/Passes.h"
#include "llvm/CodeGen/RegAllocRegistry.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/xxhash.h"
#include <cerrno>
#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;
using namespace transproc;

static cl::OptionCategory Options("transproc-codegen");
static cl::opt<std::string> Input(cl::Positional, cl::desc("<bitcode or IR of the front end>"), cl::Required, cl::cat(Options));
static cl::opt<std::string> OutX86("o-x86_64", cl::desc("Object file for x86_64"), cl::cat(Options));
static cl::opt<std::string> OutArm("o-aarch64", cl::desc("Object file for aarch64"), cl::cat(Options));
static cl::opt<std::string> OutIr("o-ir", cl::desc("The IR that both back ends get, as text"), cl::cat(Options));
static cl::opt<char> Level("O", cl::desc("Optimisation level: 0 1 2 3 s z"), cl::Prefix, cl::init('2'), cl::cat(Options));
static cl::opt<std::string> LeafList("leaf-list", cl::desc("File with names of external functions that reach no equivalence point"), cl::cat(Options));
static cl::list<std::string> NotLeaves("not-leaf", cl::desc("A name in that file that is another function in this program"), cl::cat(Options));
static cl::opt<bool> Leaf("leaf", cl::desc("The file has only leaf functions: no sites"), cl::cat(Options));
static cl::opt<bool> Plain("plain", cl::desc("No sites, nothing lowered for them: the baseline of benchmarks"), cl::cat(Options));
static cl::opt<bool> Stress("stress", cl::desc("Call transproc_hook() at points and function entries"), cl::cat(Options));
static cl::opt<bool> Debug("debug", cl::desc("Keep debug information"), cl::cat(Options));
static cl::opt<bool> Assembly("S", cl::desc("Write assembly"), cl::cat(Options));
static cl::opt<bool> Verbose("v", cl::desc("Print counts"), cl::cat(Options));
static cl::opt<std::string> SiteOptions("sites", cl::desc("Options of transproc-sites, for experiments"), cl::cat(Options));
static cl::opt<std::string> MarchX86("march-x86_64", cl::desc("x86_64 processor or level"), cl::init("x86-64-v2"), cl::cat(Options));
static cl::opt<std::string> MarchArm("march-aarch64", cl::desc("aarch64 processor or architecture"), cl::init("armv8-a"), cl::cat(Options));
static cl::opt<std::string> Tune("mtune", cl::desc("Processor of either ISA whose speed matters most"), cl::cat(Options));
static cl::opt<bool> Fuse("fuse-multiply-add", cl::desc("x * y + z may be rounded once, where the source allows it: both processors have it"), cl::cat(Options));
static cl::opt<std::string> AttrX86("mattr-x86_64", cl::desc("x86_64 features to add"), cl::cat(Options));
static cl::opt<std::string> AttrArm("mattr-aarch64", cl::desc("aarch64 features to add"), cl::cat(Options));

// Options that LLVM has only on its command line; see Emit.cpp for the others.
static void parseCommandLine(int argc, char **argv) {
  SmallVector<const char *, 16> Args{argv[0],
                                     "-use-registers-for-deopt-values", // lists read registers where the values are anyway
                                     "-restrict-statepoint-remat",      // else big functions run out of registers
                                     "-no-x86-call-frame-opt",          // pushes of arguments would move the stack pointer
                                     "-switch-peel-threshold=101",      // dispatching switches must stay one jump
                                     "-tail-dup-indirect-size=1",       // a few copies of a dispatch cost all labels registers
                                     "-disable-auto-upgrade-debug-info", // of other versions of LLVM: reading would verify the whole module
                                     "-aarch64-enable-global-merge=false"}; // merged data has other addresses than on x86_64
  Args.append(argv + 1, argv + argc);
  cl::HideUnrelatedOptions(Options);
  cl::ParseCommandLineOptions(Args.size(), Args.data(), "everything after the front end, for x86_64 and aarch64\n");
}

static CodeGenOptLevel codegenLevel() {
  switch (Level) {
  case '0':
  case '1': return CodeGenOptLevel::Less; // O0 would choose FastISel and GlobalISel, which know no statepoints
  case '3': return CodeGenOptLevel::Aggressive;
  default: return CodeGenOptLevel::Default;
  }
}

static PipelineOptions pipelineOptions(bool TailCalls) {
  PipelineOptions P;
  P.Level = Level;
  P.Fuse = Fuse;
  P.ComputedGoto = !Plain;
  if (Plain || Leaf)
    return P;
  P.Sites = parseSitesOptions(SiteOptions);
  if (!P.Sites) {
    WithColor::error() << "--sites: unknown option in '" << SiteOptions << "'\n";
    exit(1);
  }
  P.Sites->LeafList = LeafList;
  P.Sites->NotLeaves.assign(NotLeaves.begin(), NotLeaves.end());
  P.Sites->TailCalls &= TailCalls && Level != '0';
  P.Sites->Stress = Stress;
  if (Stress)
    P.Sites->Loops.StripLength = 2; // reach points soon
  P.Sites->Verbose |= Verbose;
  return P;
}

// As clang: for no processor in particular, whatever instructions there are.
static void tune(Module &M, const transproc::Target &T) {
  StringRef Name = canTuneFor(T, Tune) ? StringRef(Tune) : "generic";
  for (Function &F : M)
    F.addFnAttr("tune-cpu", Name);
}

// What the pipeline assumes of every function. In a file of C, or of C++ without exceptions, nothing throws; but an exception may pass
// by, from a callback, so all have call-frame information for that (.eh_frame), which the link drops where nothing reads it.
static void prepareFunctions(Module &M) {
  bool Throws = any_of(M, [](const Function &F) { return !F.isDeclaration() && !F.doesNotThrow(); });
  for (Function &F : M) {
    F.removeFnAttr(Attribute::OptimizeNone);
    F.removeFnAttr("frame-pointer");
    F.removeFnAttr(Attribute::UWTable);
    if (!Throws)
      F.addFnAttr(Attribute::NoUnwind);
    if (!F.isDeclaration())
      F.setUWTableKind(UWTableKind::Sync);
  }
}

// See idBase().
static void noteUnit(Module &M) {
  auto Buffer = MemoryBuffer::getFile(Input);
  if (!Buffer) // standard input
    return;
  LLVMContext &C = M.getContext();
  std::string Made;
  for (const cl::opt<std::string> *Option : {&MarchX86, &MarchArm, &AttrX86, &AttrArm, &Tune, &SiteOptions})
    Made += *Option + ",";
  Made += {Level, Fuse ? 'f' : '-'};
  Metadata *Digest = MDString::get(C, utohexstr(xxh3_64bits((*Buffer)->getBuffer())) + utohexstr(xxh3_64bits(Made)));
  M.getOrInsertNamedMetadata(UnitDigest)->addOperand(MDNode::get(C, {Digest}));
}

static bool writeIr(const Module &M) {
  std::error_code Error;
  raw_fd_ostream Out(OutIr, Error);
  if (Error)
    WithColor::error() << OutIr << ": " << Error.message() << "\n";
  else
    Out << M;
  return !Error;
}

// Prints what LLVM reports, except what the optimiser did not do: loops with a pragma that it leaves as they are.
struct NoRemarks : DiagnosticHandler {
  bool handleDiagnostics(const DiagnosticInfo &Info) override { return isa<DiagnosticInfoOptimizationBase>(Info); }
};

// Likewise, except that the register allocator failed, which is worth another attempt.
struct AllocationFailure : NoRemarks {
  explicit AllocationFailure(bool &Failed) : Failed(Failed) {}
  bool handleDiagnostics(const DiagnosticInfo &Info) override {
    if (NoRemarks::handleDiagnostics(Info))
      return true;
    std::string Text;
    raw_string_ostream Stream(Text);
    DiagnosticPrinterRawOStream Printer(Stream);
    Info.print(Printer);
    if (StringRef(Text).starts_with("ran out of registers"))
      return Failed = true;
    return false;
  }
  bool &Failed;
};

static void disableScheduler() {
  cl::Option *Enable = cl::getRegisteredOptions().lookup("enable-misched");
  Enable->reset();
  Enable->addOccurrence(0, "enable-misched", "false");
}
static void restoreScheduler() { cl::getRegisteredOptions().lookup("enable-misched")->reset(); }

// LLVM's greedy allocator can fail where lists keep many values alive. Then this file gets slightly slower code.
enum class Attempt { Usual, WithoutScheduler, BasicAllocator };

enum class Outcome { Good, Bad, NoRegisters };

// One ISA's object, how it is to be made, and what became of that.
struct Half {
  transproc::Target T;
  Attempt How = Attempt::Usual;
  Outcome Done = Outcome::Good;
  bool wanted() const { return !T.Output.empty(); }
};

// Changes M, and LLVM's options.
static Outcome generate(Module &M, const Half &H) {
  bool Failed = false;
  M.getContext().setDiagnosticHandler(std::make_unique<AllocationFailure>(Failed));
  auto Machine = makeMachine(H.T, codegenLevel());
  retarget(M, *Machine);
  tune(M, H.T);
  recordAbilities(M, *Machine);
  auto Allocator = RegisterRegAlloc::getDefault();
  if (H.How == Attempt::WithoutScheduler)
    disableScheduler();
  if (H.How == Attempt::BasicAllocator)
    RegisterRegAlloc::setDefault(createBasicRegisterAllocator);
  bool Good = emitFile(M, *Machine, H.T.Output, Assembly ? CodeGenFileType::AssemblyFile : CodeGenFileType::ObjectFile);
  RegisterRegAlloc::setDefault(Allocator);
  restoreScheduler();
  if (Failed)
    sys::fs::remove(H.T.Output);
  return !Good ? Outcome::Bad : Failed ? Outcome::NoRegisters : Outcome::Good;
}

// Of two objects one is made by a process of its own, which has M as it is now: to copy M as bitcode took longer, and a machine may have
// a processor to spare. (Not a thread: the back ends' options are global.)
static void generateBoth(Module &M, Half &Here, Half &There) {
  pid_t Child = fork();
  if (Child == 0)
    _exit(static_cast<int>(generate(M, There)));
  if (Child < 0) {
    WithColor::error() << "cannot start a process: " << sys::StrError() << "\n";
    There.Done = Outcome::Bad;
    return;
  }
  Here.Done = generate(M, Here);
  int Status;
  while (waitpid(Child, &Status, 0) < 0 && errno == EINTR)
    ;
  bool Known = WIFEXITED(Status) && WEXITSTATUS(Status) <= static_cast<int>(Outcome::NoRegisters);
  There.Done = Known ? static_cast<Outcome>(WEXITSTATUS(Status)) : Outcome::Bad;
}

// Only these two: starting is a good part of what compiling a small file takes.
static void initializeTargets() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64Target();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmPrinter();
}

static bool isTunable(const transproc::Target &X86, const transproc::Target &Arm) {
  bool Known = Tune.empty() || canTuneFor(X86, Tune) || canTuneFor(Arm, Tune);
  if (!Known)
    WithColor::error() << "-mtune=" << Tune << ": no such processor\n";
  return Known;
}

// From the front end's module to the one that both back ends get. Nothing of it is ever freed, which would take as long as a pass.
static Module *makeModule(const char *Program, const transproc::Target &X86, bool TailCalls) {
  auto *Context = new LLVMContext;
  Context->setDiagnosticHandler(std::make_unique<NoRemarks>());
  SMDiagnostic Problem;
  Module *M = parseIRFile(Input, Problem, *Context).release();
  if (!M) {
    Problem.print(Program, errs());
    exit(1);
  }
  if (printRefusals(*M) + printUnknownNames(*M))
    exit(RefusedStatus);
  if (!Debug)
    StripDebugInfo(*M);
  removeTargetAttributes(*M);
  lowerBuiltins(*M);
  prepareFunctions(*M);
  noteUnit(*M);
  auto Machine = makeMachine(X86, codegenLevel());
  retarget(*M, *Machine);
  tune(*M, X86);
  optimize(*M, *Machine, pipelineOptions(TailCalls));
  return M;
}

// Whether there is another attempt for a half that failed. It is one for both, since both are made of one module.
static bool giveWay(Half &H) {
  if (H.Done == Outcome::Good)
    return true;
  if (Verbose)
    errs() << "transproc: " << H.T.Isa << ": the register allocator failed, trying again\n";
  bool More = H.How != Attempt::BasicAllocator;
  H.How = !More ? Attempt::Usual : H.How == Attempt::Usual ? Attempt::WithoutScheduler : Attempt::BasicAllocator;
  return More;
}

int main(int argc, char **argv) {
  InitLLVM Init(argc, argv);
  initializeTargets();
  parseCommandLine(argc, argv);
  Half X86{{"x86_64", MarchX86, AttrX86, OutX86, {}}}, Arm{{"aarch64", MarchArm, AttrArm, OutArm, {}}};
  if (!chooseProcessor(X86.T) || !chooseProcessor(Arm.T) || !isTunable(X86.T, Arm.T))
    return 1;
  bool TailCalls = true; // jumps want their targets in certain registers: the last thing to give up
  for (;;) {
    Module *M = makeModule(argv[0], X86.T, TailCalls);
    if (!OutIr.empty() && !writeIr(*M))
      return 1;
    if (X86.wanted() && Arm.wanted())
      generateBoth(*M, X86, Arm);
    else if (X86.wanted() || Arm.wanted())
      (X86.wanted() ? X86 : Arm).Done = generate(*M, X86.wanted() ? X86 : Arm);
    if (X86.Done == Outcome::Bad || Arm.Done == Outcome::Bad)
      return 1;
    if (X86.Done == Outcome::Good && Arm.Done == Outcome::Good)
      return 0;
    if (giveWay(X86) && giveWay(Arm))
      continue;
    if (!TailCalls)
      break;
    TailCalls = false;
    X86.How = Arm.How = Attempt::Usual;
  }
  WithColor::error() << Input << ": LLVM cannot allocate registers\n";
  return 1;
}
