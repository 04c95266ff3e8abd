// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// transproc-varargs: variadic calls that work alike on every ISA.
//
// f(fixed, ...) becomes f(fixed, ptr): the caller packs the arguments into 8-byte slots (16-aligned
// for types that are), and va_list, which the neutral front end (loongarch64) declares as one pointer, walks
// over them. Runs on the front end's output, before any optimisation.
#include "transproc/Passes.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace transproc {
namespace {

// From so many calls on, a function's buffer has its place for as long as the function runs.
constexpr size_t ManyCalls = 16;

// C libraries read arguments that were not passed (musl: fcntl, ioctl, syscall): keep so many bytes readable.
constexpr uint64_t MinBufferSize = 64;

FunctionType *loweredType(FunctionType *T) {
  SmallVector<Type *, 8> Params(T->params());
  Params.push_back(PointerType::getUnqual(T->getContext()));
  return FunctionType::get(T->getReturnType(), Params, false);
}

// "f(...)" without fixed parameters is a declaration without prototype; its calls pass what they have.
bool isUnprototyped(const Function &F) {
  return F.isDeclaration() && F.getFunctionType()->getNumParams() == 0;
}

void lowerVaStarts(Function &F) {
  Argument *Slots = F.getArg(F.arg_size() - 1);
  Slots->setName("va");
  for (Instruction &I : make_early_inc_range(instructions(F)))
    if (auto *Start = dyn_cast<VAStartInst>(&I)) {
      IRBuilder<>(Start).CreateStore(Slots, Start->getArgList());
      Start->eraseFromParent();
    }
}

void lowerFunction(Function &F) {
  Function *N = Function::Create(loweredType(F.getFunctionType()), F.getLinkage(), F.getAddressSpace());
  F.getParent()->getFunctionList().insert(F.getIterator(), N);
  N->copyAttributesFrom(&F);
  N->setComdat(F.getComdat());
  N->takeName(&F);
  N->setIsNewDbgInfoFormat(F.IsNewDbgInfoFormat);
  N->splice(N->begin(), &F);
  for (Argument &Old : F.args()) {
    Argument *New = N->getArg(Old.getArgNo());
    Old.replaceAllUsesWith(New);
    New->takeName(&Old);
  }
  N->copyMetadata(&F, 0);
  F.replaceAllUsesWith(N);
  F.eraseFromParent();
  if (!N->isDeclaration())
    lowerVaStarts(*N);
}

// Where each variadic argument lies.
struct Packing {
  SmallVector<uint64_t, 8> Offsets;
  uint64_t Size = 0;
};

Packing packArguments(CallBase &Call, const DataLayout &DL) {
  Packing P;
  for (unsigned I = Call.getFunctionType()->getNumParams(); I < Call.arg_size(); ++I) {
    bool ByVal = Call.isByValArgument(I);
    Type *T = ByVal ? Call.getParamByValType(I) : Call.getArgOperand(I)->getType();
    Align A = ByVal ? Call.getParamAlign(I).valueOrOne() : DL.getABITypeAlign(T);
    P.Size = alignTo(P.Size, A > Align(8) ? Align(16) : Align(8));
    P.Offsets.push_back(P.Size);
    P.Size += alignTo(DL.getTypeAllocSize(T).getFixedValue(), 8);
  }
  return P;
}

Constant *noArguments(Module &M) {
  StringRef Name = "__transproc_no_arguments";
  if (GlobalVariable *G = M.getNamedGlobal(Name))
    return G;
  auto *T = ArrayType::get(Type::getInt8Ty(M.getContext()), MinBufferSize);
  auto *G = new GlobalVariable(M, T, /*isConstant=*/true, GlobalValue::InternalLinkage,
                               ConstantAggregateZero::get(T), Name);
  G->setAlignment(Align(16));
  return G;
}

// All calls of a function pack their arguments into one buffer: they are stored when all have been computed. (A thousand calls of printf
// would otherwise be a thousand objects of a frame.)
void provide(AllocaInst *&Buffer, Function &F, uint64_t Size) {
  IRBuilder<> B(&F.getEntryBlock(), F.getEntryBlock().begin());
  Type *Wanted = ArrayType::get(B.getInt8Ty(), Size);
  if (!Buffer) {
    Buffer = B.CreateAlloca(Wanted, nullptr, "va.slots");
    Buffer->setAlignment(Align(16));
  } else if (Buffer->getAllocationSize(F.getDataLayout())->getFixedValue() < Size) {
    Buffer->setAllocatedType(Wanted);
  }
}

void storeArguments(CallBase &Call, const Packing &P, AllocaInst *Buffer) {
  const DataLayout &DL = Call.getDataLayout();
  IRBuilder<> B(&Call);
  if (!isa<InvokeInst>(Call)) // which has two ends
    B.CreateLifetimeStart(Buffer);
  unsigned Fixed = Call.getFunctionType()->getNumParams();
  for (unsigned I = Fixed; I < Call.arg_size(); ++I) {
    uint64_t Offset = P.Offsets[I - Fixed];
    Align A = commonAlignment(Align(16), Offset);
    Value *Slot = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Buffer, Offset);
    Value *V = Call.getArgOperand(I);
    if (Call.isByValArgument(I))
      B.CreateMemCpy(Slot, A, V, Call.getParamAlign(I), DL.getTypeAllocSize(Call.getParamByValType(I)));
    else {
      // Whole slots, as registers would be: many a program passes an int where the callee reads a long, as in prctl(2).
      if (V->getType()->isIntegerTy() && V->getType()->getIntegerBitWidth() < 64)
        V = B.CreateZExt(V, B.getInt64Ty());
      B.CreateAlignedStore(V, Slot, A);
    }
  }
}

// Shared: the function's buffer; null before it has one.
void lowerCall(CallBase &Call, AllocaInst *&Shared) {
  Packing P = packArguments(Call, Call.getDataLayout());
  if (P.Size) {
    provide(Shared, *Call.getFunction(), std::max(P.Size, MinBufferSize));
    storeArguments(Call, P, Shared);
  }
  AllocaInst *Buffer = P.Size ? Shared : nullptr;
  unsigned Fixed = Call.getFunctionType()->getNumParams();
  SmallVector<Value *, 8> Args(Call.arg_begin(), Call.arg_begin() + Fixed);
  Args.push_back(Buffer ? static_cast<Value *>(Buffer) : noArguments(*Call.getModule()));

  IRBuilder<> B(&Call);
  CallBase *New;
  if (auto *Invoke = dyn_cast<InvokeInst>(&Call))
    New = B.CreateInvoke(loweredType(Call.getFunctionType()), Call.getCalledOperand(), Invoke->getNormalDest(), Invoke->getUnwindDest(), Args);
  else
    New = B.CreateCall(loweredType(Call.getFunctionType()), Call.getCalledOperand(), Args);
  AttributeList L = Call.getAttributes();
  SmallVector<AttributeSet, 8> Params;
  for (unsigned I = 0; I < Fixed; ++I)
    Params.push_back(L.getParamAttrs(I));
  New->setAttributes(AttributeList::get(Call.getContext(), L.getFnAttrs(), L.getRetAttrs(), Params));
  New->setCallingConv(Call.getCallingConv());
  if (auto *Plain = dyn_cast<CallInst>(&Call))
    cast<CallInst>(New)->setTailCallKind(Buffer ? CallInst::TCK_NoTail : Plain->getTailCallKind());
  New->copyMetadata(Call);
  if (Buffer && isa<CallInst>(Call))
    B.CreateLifetimeEnd(Buffer);
  Call.replaceAllUsesWith(New);
  New->takeName(&Call);
  Call.eraseFromParent();
}

// That other objects could have the buffer's place between two calls is not worth two more instructions at each of many. And where
// one call has no marks, none may have any: the buffer's place is another object's elsewhere.
void forgetLifetimes(AllocaInst &Buffer) {
  bool Unmarked = any_of(Buffer.users(), [](const User *U) { return isa<InvokeInst>(U); });
  SmallVector<LifetimeIntrinsic *, 32> Marks;
  for (User *U : Buffer.users())
    if (auto *Mark = dyn_cast<LifetimeIntrinsic>(U))
      Marks.push_back(Mark);
  if (!Unmarked && Marks.size() < 2 * ManyCalls)
    return;
  for (LifetimeIntrinsic *Mark : Marks)
    Mark->eraseFromParent();
}

void giveCallItsOwnType(CallBase &Call) {
  SmallVector<Type *, 8> Params;
  for (Value *V : Call.args())
    Params.push_back(V->getType());
  Call.mutateFunctionType(FunctionType::get(Call.getFunctionType()->getReturnType(), Params, false));
}

void lowerInstruction(Instruction &I, AllocaInst *&Buffer) {
  if (isa<VAEndInst>(I)) {
    I.eraseFromParent();
  } else if (auto *Copy = dyn_cast<VACopyInst>(&I)) {
    IRBuilder<> B(Copy);
    B.CreateStore(B.CreateLoad(B.getPtrTy(), Copy->getSrc()), Copy->getDest());
    Copy->eraseFromParent();
  } else if (auto *Call = dyn_cast<CallBase>(&I)) {
    if (Call->isInlineAsm() || isa<IntrinsicInst>(Call) || !Call->getFunctionType()->isVarArg())
      return;
    auto *Callee = dyn_cast<Function>(Call->getCalledOperand());
    bool Prototyped = Call->getFunctionType()->getNumParams() > 0 ||
                      (Callee && Callee->arg_size() == 1 && !Callee->isDeclaration());
    Prototyped ? lowerCall(*Call, Buffer) : giveCallItsOwnType(*Call);
  }
}

} // namespace

PreservedAnalyses VarargsPass::run(Module &M, ModuleAnalysisManager &) {
  SmallVector<Function *, 16> Variadic;
  for (Function &F : M)
    if (F.isVarArg() && !F.isIntrinsic() && !isUnprototyped(F))
      Variadic.push_back(&F);
  for (Function *F : Variadic)
    lowerFunction(*F);
  for (Function &F : M) {
    AllocaInst *Buffer = nullptr;
    for (Instruction &I : make_early_inc_range(instructions(F)))
      lowerInstruction(I, Buffer);
    if (Buffer)
      forgetLifetimes(*Buffer);
  }
  return PreservedAnalyses::none();
}

} // namespace transproc
