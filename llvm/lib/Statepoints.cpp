// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lists on calls and points, and the calls' conversion to gc.statepoint.
//
// A list first lies in the call's "deopt" operand bundle, so that cloning the function and demoting its values carry it
// along; the attribute holds the id until the call becomes a statepoint.
#include "transproc/Carriers.h"
#include "transproc/Invokes.h"
#include "transproc/Steps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Statepoint.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace transproc {
namespace {

constexpr const char *IdAttribute = "transproc-id";

constexpr const char *MarkerName = "transproc.point";

// The same call with the list Operands; erases Call.
CallBase *replaceList(CallBase *Call, uint64_t Id, ArrayRef<Value *> Operands) {
  OperandBundleDef List("deopt", Operands);
  CallBase *New = CallBase::Create(Call, List, Call->getIterator());
  New->addFnAttr(Attribute::get(Call->getContext(), IdAttribute, utostr(Id)));
  New->copyMetadata(*Call);
  New->takeName(Call);
  Call->replaceAllUsesWith(New);
  Call->eraseFromParent();
  return New;
}

SmallVector<Value *, 32> listOf(CallBase *Call) {
  auto List = Call->getOperandBundle(LLVMContext::OB_deopt);
  return SmallVector<Value *, 32>(List->Inputs.begin(), List->Inputs.end());
}

// Writes display lines. Names come from debug information, then from the IR.
class Display {
public:
  explicit Display(Function &F) {
    for (Argument &A : F.args())
      Numbers[&A] = Numbers.size();
    for (Instruction &I : instructions(F)) {
      Numbers[&I] = Numbers.size();
      for (DbgVariableRecord &Record : filterDbgVars(I.getDbgRecordRange()))
        if (Record.isDbgValue() && !Record.hasArgList() && Record.getVariable() && Record.getVariableLocationOp(0))
          Names.try_emplace(Record.getVariableLocationOp(0), Record.getVariable()->getName());
    }
  }

  // Original: what V, a call, was before it got its list; else V.
  void item(raw_ostream &OS, Value *V, const Value *Original, unsigned Entries) {
    std::string Type;
    raw_string_ostream(Type) << *V->getType();
    erase_if(Type, [](char C) { return C == ' '; });
    OS << '\t' << Type;
    if (Entries != 1)
      OS << '*' << Entries;
    if (StringRef Name = Names.lookup(Original); !Name.empty())
      OS << ' ' << Name;
    else if (V->hasName())
      OS << ' ' << V->getName();
    else
      OS << " %" << Numbers.lookup(Original);
  }

private:
  DenseMap<const Value *, unsigned> Numbers;
  DenseMap<const Value *, StringRef> Names;
};

// Constants for the attributes that a statepoint must not have: it returns, reads and writes memory.
AttributeSet statepointAttributes(LLVMContext &C, AttributeSet FromCall) {
  AttrBuilder B(C, FromCall);
  B.removeAttribute(IdAttribute);
  for (auto Kind : {Attribute::Memory, Attribute::NoReturn, Attribute::AllocSize, Attribute::AllocKind, Attribute::Speculatable})
    B.removeAttribute(Kind);
  return AttributeSet::get(C, B);
}

// Sites with a record that no other such site dominates.
SmallVector<Site *, 4> undominated(Function &F, MutableArrayRef<Site> Sites) {
  DenseMap<BasicBlock *, Site *> First; // of each block
  for (Site &S : Sites)
    if (!S.Jump)
      First.try_emplace(S.Call->getParent(), &S);
  SmallVector<Site *, 4> Found;
  DominatorTree DT(F);
  SmallVector<DomTreeNode *, 32> Waiting{DT.getRootNode()};
  while (!Waiting.empty()) {
    DomTreeNode *Node = Waiting.pop_back_val();
    if (Site *S = First.lookup(Node->getBlock()))
      Found.push_back(S);
    else
      Waiting.append(Node->begin(), Node->end());
  }
  return Found;
}

void convertToStatepoint(CallBase *Call) {
  IRBuilder<> B(Call);
  LLVMContext &C = B.getContext();
  uint64_t Id = 0;
  Call->getFnAttr(IdAttribute).getValueAsString().getAsInteger(10, Id);
  SmallVector<Value *, 32> List = listOf(Call);
  SmallVector<Value *, 16> Args(Call->args());
  bool Point = isPoint(Call);
  Value *Callee = Point ? ConstantPointerNull::get(B.getPtrTy()) : Call->getCalledOperand();
  FunctionCallee Target(Call->getFunctionType(), Callee);
  std::optional<ArrayRef<Value *>> Listed(List);
  CallBase *New;
  auto *Invoke = dyn_cast<InvokeInst>(Call);
  if (Invoke)
    New = B.CreateGCStatepointInvoke(Id, 0, Target, Invoke->getNormalDest(), Invoke->getUnwindDest(), ArrayRef<Value *>(Args), Listed, {}, "");
  else
    New = B.CreateGCStatepointCall(Id, Point ? PointBytes : 0, Target, ArrayRef<Value *>(Args), Listed, {}, "");
  New->setCallingConv(Call->getCallingConv());
  AttributeList Old = Call->getAttributes();
  AttributeList Attrs = New->getAttributes().addFnAttributes(C, AttrBuilder(C, statepointAttributes(C, Old.getFnAttrs())));
  for (unsigned I = 0; I < Args.size(); ++I) {
    AttrBuilder Param(C, Old.getParamAttrs(I));
    Param.removeAttribute(Attribute::Returned);
    Attrs = Attrs.addParamAttributes(C, GCStatepointInst::CallArgsBeginPos + I, Param);
  }
  New->setAttributes(Attrs);
  if (!Call->getType()->isVoidTy() && !Call->use_empty()) {
    if (Invoke)
      B.SetInsertPoint(&*Invoke->getNormalDest()->getFirstInsertionPt());
    CallInst *Result = B.CreateGCResult(New, Call->getType());
    Result->setAttributes(Result->getAttributes().addRetAttributes(C, AttrBuilder(C, Old.getRetAttrs())));
    Result->takeName(Call);
    Call->replaceAllUsesWith(Result);
  }
  Call->eraseFromParent();
}

} // namespace

FunctionCallee pointMarker(Module &M) {
  FunctionCallee Marker = M.getOrInsertFunction(MarkerName, FunctionType::get(Type::getVoidTy(M.getContext()), false));
  cast<Function>(Marker.getCallee())->setCallingConv(CallingConv::PreserveAll); // nothing is called, so no register changes
  return Marker;
}

bool isPoint(const CallBase *Call) {
  const Function *Callee = Call->getCalledFunction();
  return Callee && Callee->getName() == MarkerName;
}

std::string attachLists(Function &F, MutableArrayRef<Site> Sites, SmallVectorImpl<Instruction *> &Bools) {
  std::string Lines;
  raw_string_ostream OS(Lines);
  Display Names(F);
  DenseMap<Value *, Value *> New; // calls replaced so far
  auto Current = [&](Value *V) {
    auto It = New.find(V);
    return It == New.end() ? V : It->second;
  };
  for (Site &S : Sites) {
    if (S.Jump)
      continue;
    IRBuilder<> B(S.Call);
    Carriers List;
    OS << format_hex_no_prefix(S.Id, 16);
    if (isa<InvokeInst>(S.Call))
      OS << '!'; // has a landing pad, which the checks of objects look for
    for (Value *V : S.Live) {
      unsigned Before = List.size();
      encodeCarriers(B, Current(V), List, Bools);
      Names.item(OS, Current(V), V, List.size() - Before);
    }
    OS << '\0';
    if (List.size() > MaxListed)
      report_fatal_error("too many live values in " + F.getName(), false);
    uint32_t Result = S.hasResult() ? resultDescriptor(S.Call->getType()) : 0;
    SmallVector<Value *, 32> Operands{B.getInt64(listHeader(List.Narrow.size(), List.Wide.size(), Result))};
    Operands.append(List.Narrow.begin(), List.Narrow.end());
    Operands.append(List.Wide.begin(), List.Wide.end());
    Value *Old = S.Call;
    S.Call = replaceList(S.Call, S.Id, Operands);
    New[Old] = S.Call;
  }
  for (Site &S : Sites) {
    for (Value *&V : S.Live)
      V = Current(V);
    for (auto &[V, Home] : S.Homes)
      V = Current(V);
  }
  return Lines;
}

void attachObjects(Function &F, MutableArrayRef<Site> Sites, ArrayRef<AllocaInst *> Objects, bool Dynamic) {
  if (Objects.empty() && !Dynamic)
    return;
  IRBuilder<> B(F.getContext());
  bool Jumps = any_of(Sites, [](const Site &S) { return S.Jump; });
  SmallVector<Value *, 32> Added{B.getInt64(objectsHeader(Objects.size(), Dynamic, Jumps))};
  for (AllocaInst *A : Objects) {
    uint64_t Size = A->getAllocationSize(A->getDataLayout())->getFixedValue();
    Added.push_back(A);
    Added.push_back(B.getInt64(objectShape(Size, A->getAlign().value())));
  }
  for (Site *S : undominated(F, Sites)) {
    SmallVector<Value *, 32> List = listOf(S->Call);
    List.append(Added);
    S->Call = replaceList(S->Call, S->Id, List);
  }
}

void compareAsNumbers(Function &F) {
  for (Instruction &I : instructions(F)) {
    auto *Compare = dyn_cast<ICmpInst>(&I);
    if (!Compare || none_of(Compare->operands(), [](Value *V) { return isa<AllocaInst>(V); }))
      continue;
    IRBuilder<> B(Compare);
    for (Use &Operand : Compare->operands())
      Operand = B.CreatePtrToInt(Operand, B.getInt64Ty());
  }
}

void hoistBools(Function &F, ArrayRef<Instruction *> Bools) {
  DenseMap<Value *, Instruction *> Images;
  for (Instruction *Image : Bools) {
    Value *V = Image->getOperand(0);
    Instruction *&First = Images[V];
    if (First) {
      Image->replaceAllUsesWith(First);
      Image->eraseFromParent();
      continue;
    }
    First = Image;
    auto *I = dyn_cast<Instruction>(V);
    if (!I)
      Image->moveBefore(&*F.getEntryBlock().getFirstInsertionPt());
    else
      Image->moveBefore(&*behind(*I));
  }
}

void makeTailCalls(ArrayRef<CallBase *> Calls) {
  for (CallBase *Call : Calls) {
    auto *New = cast<CallInst>(CallBase::Create(Call, ArrayRef<OperandBundleDef>(), Call->getIterator()));
    New->removeFnAttr(IdAttribute);
    New->copyMetadata(*Call);
    New->takeName(Call);
    Call->replaceAllUsesWith(New);
    Call->eraseFromParent();
    makeTailCall(*New);
  }
}

void convertToStatepoints(Function &F) {
  SmallVector<CallBase *, 32> Calls;
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallBase>(&I); Call && Call->hasFnAttr(IdAttribute))
      Calls.push_back(Call);
  for (CallBase *Call : Calls)
    convertToStatepoint(Call);
  if (!Calls.empty())
    F.setGC("statepoint-example"); // statepoints demand a strategy; no pointer here belongs to a collector
}

} // namespace transproc
