// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Codegen.h"
#include "transproc/Prepare.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Passes/PassBuilder.h"

using namespace llvm;

namespace transproc {

static OptimizationLevel levelOf(char Level) {
  switch (Level) {
  case '0': return OptimizationLevel::O0;
  case '1': return OptimizationLevel::O1;
  case '3': return OptimizationLevel::O3;
  case 's': return OptimizationLevel::Os;
  case 'z': return OptimizationLevel::Oz;
  default: return OptimizationLevel::O2;
  }
}

// As clang sets them for -O<Level>.
static PipelineTuningOptions tuning(char Level) {
  PipelineTuningOptions T;
  bool Vectorize = Level != '0' && Level != '1' && Level != 'z';
  T.LoopVectorization = T.SLPVectorization = Vectorize;
  T.LoopUnrolling = T.LoopInterleaving = Vectorize && Level != 's';
  T.CallGraphProfile = false;
  return T;
}

void optimize(Module &M, TargetMachine &Machine, const PipelineOptions &Options) {
  OptimizationLevel Level = levelOf(Options.Level);
  PassBuilder PB(&Machine, tuning(Options.Level));
  LoopAnalysisManager LAM;
  FunctionAnalysisManager FAM;
  CGSCCAnalysisManager CGAM;
  ModuleAnalysisManager MAM;
  FAM.registerPass([&] { return TargetLibraryAnalysis(TargetLibraryInfoImpl(Machine.getTargetTriple())); });
  PB.registerModuleAnalyses(MAM);
  PB.registerCGSCCAnalyses(CGAM);
  PB.registerFunctionAnalyses(FAM);
  PB.registerLoopAnalyses(LAM);
  PB.crossRegisterProxies(LAM, FAM, CGAM, MAM);

  ModulePassManager MPM;
  MPM.addPass(VarargsPass());
  MPM.addPass(Level == OptimizationLevel::O0 ? PB.buildO0DefaultPipeline(Level) : PB.buildPerModuleDefaultPipeline(Level));
  MPM.addPass(FloatingPointPass(Options.Fuse));
  if (Options.ComputedGoto)
    MPM.addPass(ComputedGotoPass());
  if (Options.Sites)
    MPM.addPass(SitesPass(*Options.Sites));
  MPM.addPass(AtomicsPass());
  MPM.addPass(SectionsPass());
  if (Options.ComputedGoto)
    MPM.addPass(DispatchPass());
  MPM.addPass(VerifierPass());
  MPM.run(M, MAM);
}

} // namespace transproc
