// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Codegen.h"
#include "transproc/Steps.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/CodeGen/TargetPassConfig.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Target/TargetOptions.h"

using namespace llvm;

namespace transproc {

static TargetOptions targetOptions() {
  TargetOptions O;
  O.FunctionSections = O.DataSections = true;
  O.ForceDwarfFrameSection = true; // unwinding information for the transformer, not loaded
  O.TrapUnreachable = true;        // a return address stays inside its function, whatever the callee does
  O.NoTrapAfterNoreturn = false;
  O.TLSSize = 24; // aarch64: local-exec offsets up to 16 MiB
  O.UseInitArray = true;
  O.EmulatedTLS = false;
  return O;
}

std::unique_ptr<TargetMachine> makeMachine(const Target &T, CodeGenOptLevel Level) {
  std::string Triple = T.Isa + "-unknown-linux-musl", Error;
  const llvm::Target *Found = TargetRegistry::lookupTarget(Triple, Error);
  if (!Found) {
    WithColor::error() << Error << "\n";
    exit(1);
  }
  std::unique_ptr<TargetMachine> Made(Found->createTargetMachine(Triple, "generic", T.Features, targetOptions(),
                                                                 Reloc::Static, CodeModel::Small, Level));
  Made->setMachineOutliner(false); // aarch64 has it on for -Oz: it makes functions that the other ISA has not, with calls of theirs
  return Made;
}

void retarget(Module &M, TargetMachine &Machine) {
  M.setTargetTriple(Machine.getTargetTriple().str());
  M.setDataLayout(Machine.createDataLayout());
}

// As TargetMachine::addPassesToEmitFile, with passes of our own.
static bool addPasses(legacy::PassManager &PM, LLVMTargetMachine &Machine, raw_pwrite_stream &Out, CodeGenFileType Type) {
  PM.add(new TargetLibraryInfoWrapperPass(TargetLibraryInfoImpl(Machine.getTargetTriple())));
  auto *MachineInfo = new MachineModuleInfoWrapperPass(&Machine);
  TargetPassConfig *Config = Machine.createPassConfig(PM);
  PM.add(Config);
  PM.add(MachineInfo);
  Config->setDisableVerify(true); // optimize() has done so
  addOwnPasses(*Config);
  if (Config->addISelPasses())
    return false;
  Config->addMachinePasses();
  Config->setInitialized();
  if (Machine.addAsmPrinter(PM, Out, nullptr, Type, MachineInfo->getMMI().getContext()))
    return false;
  PM.add(createFreeMachineFunctionPass());
  return true;
}

bool emitFile(Module &M, TargetMachine &Machine, const std::string &Path, CodeGenFileType Type) {
  std::error_code Error;
  ToolOutputFile Out(Path, Error, sys::fs::OF_None);
  if (Error) {
    WithColor::error() << Path << ": " << Error.message() << "\n";
    return false;
  }
  legacy::PassManager PM;
  if (!addPasses(PM, static_cast<LLVMTargetMachine &>(Machine), Out.os(), Type)) {
    WithColor::error() << "LLVM cannot write such a file for " << Machine.getTargetTriple().str() << "\n";
    return false;
  }
  PM.run(M);
  Out.keep();
  return true;
}

} // namespace transproc
