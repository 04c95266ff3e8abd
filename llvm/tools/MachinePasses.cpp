// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the back ends do besides what LLVM's do.
#include "Codegen.h"
#include "transproc/Steps.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/CodeGen/MachineFunctionPass.h"
#include "llvm/CodeGen/MachineLoopInfo.h"
#include "llvm/CodeGen/Passes.h"
#include "llvm/CodeGen/StackMaps.h"
#include "llvm/CodeGen/StackProtector.h"
#include "llvm/CodeGen/TargetInstrInfo.h"
#include "llvm/CodeGen/TargetPassConfig.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Statepoint.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Target/TargetLoweringObjectFile.h"

using namespace llvm;

namespace transproc {
namespace {

// Lists of stack objects must name the objects themselves, which instruction selection knows to be places of the frame. Loop strength
// reduction rewrites operands as (object + 8) - 8, whose value would lie in a register.
class NameObjects : public FunctionPass {
public:
  static char ID;
  NameObjects() : FunctionPass(ID) {}
  StringRef getPassName() const override { return "transproc: lists name stack objects"; }
  void getAnalysisUsage(AnalysisUsage &Usage) const override { Usage.setPreservesAll(); }

  bool runOnFunction(Function &F) override {
    bool Changed = false;
    for (Instruction &I : instructions(F))
      if (auto *Site = dyn_cast<GCStatepointInst>(&I))
        if (auto List = Site->getOperandBundle(LLVMContext::OB_deopt))
          for (const Use &Operand : List->Inputs)
            Changed |= name(const_cast<Use &>(Operand), F.getDataLayout());
    return Changed;
  }

private:
  static bool name(Use &Operand, const DataLayout &DL) {
    if (!Operand->getType()->isPointerTy() || isa<AllocaInst>(Operand))
      return false;
    APInt Offset(DL.getIndexTypeSizeInBits(Operand->getType()), 0);
    Value *Base = Operand->stripAndAccumulateConstantOffsets(DL, Offset, /*AllowNonInbounds=*/true);
    auto *Object = dyn_cast<AllocaInst>(Base);
    if (!Object || !Object->isStaticAlloca() || !Offset.isZero())
      return false;
    Operand.set(Object);
    return true;
  }
};
char NameObjects::ID = 0;

// A thread can be stopped at a call's return address. If the call ends its block and the next block can also be entered by a
// jump, a thread stopped there might not come from the call: a nop keeps the two addresses apart.
class SeparateReturnAddresses : public MachineFunctionPass {
public:
  static char ID;
  SeparateReturnAddresses() : MachineFunctionPass(ID) {}
  StringRef getPassName() const override { return "transproc: separate return addresses from block entries"; }

  bool runOnMachineFunction(MachineFunction &MF) override {
    bool Changed = false;
    for (MachineBasicBlock &MBB : MF)
      if (auto Last = MBB.getLastNonDebugInstr(); Last != MBB.end() && endsInCall(MBB, Last)) {
        MF.getSubtarget().getInstrInfo()->insertNoop(MBB, MBB.end());
        Changed = true;
      }
    return Changed;
  }

private:
  static bool endsInCall(MachineBasicBlock &MBB, MachineBasicBlock::iterator Last) {
    while (Last->isMetaInstruction() && Last != MBB.begin()) // no code
      --Last;
    return Last->getOpcode() == TargetOpcode::STATEPOINT;
  }
};
char SeparateReturnAddresses::ID = 0;

// A statepoint's target comes in a register where LLVM's own calls read it from memory: a loop that calls a virtual function, and does
// little else, is some bytes longer than clang's. Where it lies in two lines of the cache, that costs 15 % of its time. All innermost loops
// at multiples of 32 bytes would cost programs of short loops as much.
class AlignLoopsOfCalls : public MachineFunctionPass {
public:
  static char ID;
  AlignLoopsOfCalls() : MachineFunctionPass(ID) {}
  StringRef getPassName() const override { return "transproc: loops of indirect calls begin a half line"; }
  void getAnalysisUsage(AnalysisUsage &Usage) const override {
    Usage.setPreservesAll();
    Usage.addRequired<MachineLoopInfoWrapperPass>();
    MachineFunctionPass::getAnalysisUsage(Usage);
  }

  bool runOnMachineFunction(MachineFunction &MF) override {
    bool Changed = false;
    for (const MachineLoop *Loop : getAnalysis<MachineLoopInfoWrapperPass>().getLI().getLoopsInPreorder()) {
      MachineBasicBlock *Top = const_cast<MachineLoop *>(Loop)->getTopBlock();
      if (!Loop->isInnermost() || Top->getAlignment() == Align(1) || !callsIndirectly(*Loop)) // 1: LLVM saw a reason against
        continue;
      Top->setAlignment(std::max(Top->getAlignment(), Align(HalfLine)));
      Changed = true;
    }
    return Changed;
  }

private:
  static constexpr unsigned HalfLine = 32; // of a line of 64 bytes, which all processors have that we know

  static bool callsIndirectly(const MachineLoop &Loop) {
    for (const MachineBasicBlock *MBB : Loop.blocks())
      for (const MachineInstr &MI : *MBB)
        if (MI.getOpcode() == TargetOpcode::STATEPOINT)
          if (StatepointOpers Site(&MI); !Site.getNumPatchBytes() && Site.getCallTarget().isReg()) // a point calls nothing
            return true;
    return false;
  }
};
char AlignLoopsOfCalls::ID = 0;

// How far the back end looks in functions of many sites, and in resume entries, which run once after a migration. The register allocator's
// time for the best place of a spill grows with sites × values × blocks: little is enough in a resume entry, and a function of so many calls
// spends its time in them. In a large resume entry, in which hundreds of blocks go on at one place, the same holds of copies that are
// joined with values of hundreds of definitions, and of ends of blocks that are compared with each other. Not so in an interpreter, whose
// loop may have as many sites, and a program may spend its life there.
class LimitEffort : public MachineFunctionPass {
public:
  static char ID;
  LimitEffort() : MachineFunctionPass(ID) {}
  StringRef getPassName() const override { return "transproc: effort of the back end"; }
  void getAnalysisUsage(AnalysisUsage &Usage) const override {
    Usage.setPreservesAll();
    MachineFunctionPass::getAnalysisUsage(Usage);
  }

  bool runOnMachineFunction(MachineFunction &MF) override {
    bool Resume = MF.getName().ends_with(".resume"), Large = hasManySites(MF) && !isInterpreter(MF.getFunction());
    set("grow-region-complexity-budget", Resume ? "100" : Large ? "1000" : nullptr);
    set("large-interval-size-threshold", Resume && Large ? "20" : nullptr);
    set("large-interval-freq-threshold", Resume && Large ? "16" : nullptr);
    set("enable-tail-merge", Resume && Large ? "false" : nullptr);
    return false;
  }

private:
  static constexpr unsigned ManySites = 500; // a tenth of a second or so

  // Until the next function. Null: as LLVM has it.
  static void set(StringRef Name, const char *Value) {
    cl::Option *Option = cl::getRegisteredOptions().lookup(Name);
    Option->reset();
    if (Value)
      Option->addOccurrence(0, Name, Value);
  }

  static bool hasManySites(const MachineFunction &MF) {
    unsigned Sites = 0;
    for (const MachineBasicBlock &MBB : MF)
      for (const MachineInstr &MI : MBB)
        Sites += MI.getOpcode() == TargetOpcode::STATEPOINT;
    return Sites >= ManySites;
  }

  static bool isInterpreter(const Function &F) {
    return any_of(F, [](const BasicBlock &BB) { return isa<IndirectBrInst>(BB.getTerminator()); });
  }
};
char LimitEffort::ID = 0;

// A call that should have become a jump and did not would be one without a site, under frames that have them.
class CheckTailCalls : public MachineFunctionPass {
public:
  static char ID;
  CheckTailCalls() : MachineFunctionPass(ID) {}
  StringRef getPassName() const override { return "transproc: calls in tail position are jumps"; }

  bool runOnMachineFunction(MachineFunction &MF) override {
    const Function &F = MF.getFunction();
    if (!F.hasFnAttribute(TailCallees))
      return false;
    SmallVector<StringRef, 8> Callees;
    F.getFnAttribute(TailCallees).getValueAsString().split(Callees, ',', -1, /*KeepEmpty=*/false);
    for (const MachineBasicBlock &MBB : MF)
      for (const MachineInstr &MI : MBB)
        if (MI.isCall() && !MI.isReturn() && MI.getOpcode() != TargetOpcode::STATEPOINT && isOneOf(MI, Callees))
          report_fatal_error("transproc: a call at the end of " + MF.getName() + " is not a jump");
    return false;
  }

private:
  // Calls through a register or memory always have sites.
  static bool isOneOf(const MachineInstr &MI, ArrayRef<StringRef> Callees) {
    const MachineOperand &Callee = MI.getOperand(0);
    return Callee.isGlobal() ? is_contained(Callees, Callee.getGlobal()->getName()) : !Callee.isSymbol() && !Callee.isMCSymbol();
  }
};
char CheckTailCalls::ID = 0;

// Tables of handlers name what they refer to by absolute addresses, on every ISA: aarch64's would do it by way of data of their own, which
// x86_64 has not.
class NameHandlers : public MachineFunctionPass {
public:
  static char ID;
  NameHandlers() : MachineFunctionPass(ID) {}
  StringRef getPassName() const override { return "transproc: encodings of exception tables"; }

  bool runOnMachineFunction(MachineFunction &MF) override {
    struct Encodings : TargetLoweringObjectFile {
      static void set(TargetLoweringObjectFile &T) {
        for (auto Encoding : {&Encodings::PersonalityEncoding, &Encodings::LSDAEncoding, &Encodings::TTypeEncoding})
          T.*Encoding = dwarf::DW_EH_PE_udata4;
      }
    };
    Encodings::set(const_cast<TargetLoweringObjectFile &>(*MF.getTarget().getObjFileLowering()));
    return false;
  }
};
char NameHandlers::ID = 0;

} // namespace

void addOwnPasses(TargetPassConfig &Config) {
  Config.insertPass(&StackProtector::ID, new NameObjects); // the last before instruction selection
  Config.insertPass(&PHIEliminationID, new LimitEffort); // before copies are joined
  // behind all passes that move blocks, before those that measure distances
  Config.insertPass(&PatchableFunctionID, new SeparateReturnAddresses);
  Config.insertPass(&PatchableFunctionID, new AlignLoopsOfCalls);
  Config.insertPass(&PatchableFunctionID, new CheckTailCalls);
  Config.insertPass(&PatchableFunctionID, new NameHandlers);
}

} // namespace transproc
