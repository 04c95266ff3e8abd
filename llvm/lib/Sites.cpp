// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// transproc-sites: makes functions migratable.
#include "transproc/Invokes.h"
#include "transproc/Jumps.h"
#include "transproc/Points.h"
#include "transproc/Prepare.h"
#include "transproc/Reach.h"
#include "transproc/Steps.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

namespace transproc {
namespace {

struct Counts {
  unsigned Functions = 0, Calls = 0, Points = 0, Listed = 0, Homes = 0, Objects = 0;
};

class FunctionSites {
public:
  FunctionSites(Function &F, FunctionAnalysisManager &FAM, const Reach &R, const SitesOptions &Options, Tables &Out, Counts &Total)
      : F(F), M(*F.getParent()), FAM(FAM), R(R), Options(Options), Out(Out), Total(Total) {}

  void run() {
    prepare();
    chooseSites();
    if (onlyTailCalls())
      return;
    bool Jumps = chooseJumps();
    if (Options.Rematerialize)
      rematerialize(F, SiteCalls);
    number();
    if (Jumps)
      noteJumps();
    list();
    emit();
  }

private:
  void prepare() {
    removeUnreachableBlocks(F);
    if (Options.TailCalls)
      giveTailCallsReturns(F);
    hoistObjects();
    dropMarkers(F);
    numberSelectors(F);
    separateInvokes(F);
    sinkThreadLocalAddresses(F);
    FAM.invalidate(F, PreservedAnalyses::none());
  }

  // Stack objects exist in the whole function, so any site may list them. An array whose length was found to be a constant still stands
  // where it was declared, perhaps behind a call.
  void hoistObjects() {
    BasicBlock &Entry = F.getEntryBlock();
    BasicBlock::iterator Where = Entry.begin();
    for (Instruction &I : make_early_inc_range(Entry))
      if (auto *A = dyn_cast<AllocaInst>(&I); A && A->isStaticAlloca()) {
        if (A->getIterator() == Where)
          ++Where;
        else
          A->moveBefore(Entry, Where);
      }
  }

  void chooseSites() {
    SmallVector<CallBase *, 16> Stops;
    forEachSiteCall([&](CallBase *Call) {
      if (Call->use_empty() || resultDescriptor(Call->getType()) != NotCapturable)
        Stops.push_back(Call);
    });
    LoopPoints Points;
    if (Options.Points)
      Points = choosePoints(F, FAM.getResult<DominatorTreeAnalysis>(F), FAM.getResult<LoopAnalysis>(F),
                            FAM.getResult<ScalarEvolutionAnalysis>(F), Stops, Options.Loops);
    FAM.invalidate(F, PreservedAnalyses::none());
    if (!Points.Counted.empty()) {
      repeatSmallLoops(F, Points, FAM.getResult<DominatorTreeAnalysis>(F), FAM.getResult<LoopAnalysis>(F),
                       FAM.getResult<ScalarEvolutionAnalysis>(F));
      FAM.invalidate(F, PreservedAnalyses::none());
    }
    forEachSiteCall([&](CallBase *Call) { SiteCalls.insert(Call); }); // behind what copies loops
    SmallVector<CallBase *, 16> Sites;
    for (BasicBlock *Head : Points.Direct)
      Sites.push_back(insertPoint(&*Head->getFirstInsertionPt()));
    insertPolls(F, Points, Options.Loops.StripLength, [&](Instruction *Before) { Sites.push_back(insertPoint(Before)); });
    SiteCalls.insert(Sites.begin(), Sites.end());
    if (Options.Stress) {
      BasicBlock::iterator First = F.getEntryBlock().begin();
      while (isa<AllocaInst>(First))
        ++First;
      SiteCalls.insert(insertPoint(&*First));
    }
  }

  template <typename Callback> void forEachSiteCall(Callback Do) {
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I); Call && R.mayReach(*Call) && !isJump(*Call))
        Do(Call);
  }

  // A function that only jumps has no frame at which a thread could be stopped.
  bool onlyTailCalls() {
    if (Options.TailCalls)
      findTailCalls(F, TailCalls);
    if (any_of(SiteCalls, [&](const Instruction *I) { return !TailCalls.contains(I); }))
      return false;
    for (Instruction &I : instructions(F))
      if (SiteCalls.contains(&I))
        makeTailCall(cast<CallInst>(I));
    return true;
  }

  // A function without other sites is never resumed, so its calls of setjmp may stay as they are.
  bool chooseJumps() {
    bool Any = false;
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallInst>(&I); Call && isJump(*Call)) {
        SiteCalls.insert(Call);
        Any = true;
      }
    return Any;
  }

  CallInst *insertPoint(Instruction *Before) {
    IRBuilder<> B(Before);
    if (Options.Stress)
      return B.CreateCall(M.getOrInsertFunction("transproc_hook", FunctionType::get(B.getVoidTy(), false)));
    CallInst *Point = B.CreateCall(pointMarker(M));
    Point->setCallingConv(CallingConv::PreserveAll);
    return Point;
  }

  // Sites in the order of the function: the same for both ISAs, as both get this IR.
  void number() {
    Base = idBase(F);
    for (Instruction &I : instructions(F)) {
      if (!SiteCalls.contains(&I))
        continue;
      if (Sites.size() == MaxSites)
        report_fatal_error("too many sites in " + F.getName(), false);
      Site S;
      S.Call = cast<CallBase>(&I);
      S.Id = siteId(Base, Sites.size());
      S.Jump = isJump(*S.Call);
      S.Tail = TailCalls.contains(S.Call);
      ++(isPoint(S.Call) ? Total.Points : Total.Calls);
      Sites.push_back(std::move(S));
    }
  }

  void noteJumps() {
    AllocaInst *Mark = createJumpMark(F);
    for (Site &S : Sites)
      if (S.Jump) {
        SiteCalls.erase(S.Call);
        S.Call = noteJump(cast<CallInst>(S.Call), Mark, S.Id);
        SiteCalls.insert(S.Call);
      }
  }

  void list() {
    SmallVector<Value *, 0> Bottoms = dynamicBottoms(F, Sites);
    DenseMap<const Instruction *, Site *> SiteOf;
    for (Site &S : Sites)
      SiteOf[S.Call] = &S;
    Liveness L(F);
    L.atSites(SiteCalls, [&](Instruction &I, const BitVector &Live) {
      for (unsigned K : Live.set_bits())
        SiteOf[&I]->Live.push_back(L.value(K));
    });
    for (unsigned I = 0; I < Bottoms.size(); ++I) { // docs/format.md: the first value of every site
      erase(Sites[I].Live, Bottoms[I]);
      Sites[I].Live.insert(Sites[I].Live.begin(), Bottoms[I]);
    }
    keepListedCallees();
    Total.Homes += homeJumps(F, Sites, Bottoms);
    if (Options.HomeSites && Sites.size() >= Options.HomeSites)
      Total.Homes += useHomeObjects(F, Sites, Bottoms, Options.HomeSites);
    if (Options.Forget < Sites.size() && !Sites[Options.Forget].Live.empty())
      Sites[Options.Forget].Live.pop_back();
    for (const Site &S : Sites)
      Total.Listed += S.Live.size();
  }

  // A jump takes its target from a register that no callee saves. The back ends would give that register to the value as a whole, so it must
  // not be one that a list wants across a call.
  void keepListedCallees() {
    SmallPtrSet<const Value *, 32> Listed;
    for (const Site &S : Sites)
      Listed.insert(S.Live.begin(), S.Live.end());
    for (Site &S : Sites)
      S.Tail &= !Listed.contains(S.Call->getCalledOperand());
  }

  void emit() {
    SmallVector<Instruction *, 16> Bools;
    Out.Lines += attachLists(F, Sites, Bools);
    SmallVector<AllocaInst *, 16> Objects;
    bool Dynamic = false;
    for (Instruction &I : instructions(F))
      if (auto *A = dyn_cast<AllocaInst>(&I)) {
        if (A->isStaticAlloca())
          Objects.push_back(A);
        else
          Dynamic = true;
      }
    Function *Resume = makeResumeEntry(F, Sites, Objects, Options.PromoteLimit);
    attachObjects(F, Sites, Objects, Dynamic);
    SmallVector<CallBase *, 8> Tails;
    for (Site &S : Sites)
      if (S.Tail)
        Tails.push_back(S.Call);
    makeTailCalls(Tails);
    hoistBools(F, Bools);
    compareAsNumbers(F);
    convertToStatepoints(F);
    convertToStatepoints(*Resume);
    Out.Rows.push_back({&F, Resume, Base});
    Total.Objects += Objects.size();
    ++Total.Functions;
  }

  Function &F;
  Module &M;
  FunctionAnalysisManager &FAM;
  const Reach &R;
  const SitesOptions &Options;
  Tables &Out;
  Counts &Total;
  SiteSet SiteCalls;
  SiteSet TailCalls; // jumps, whether or not their callees reach a site
  std::vector<Site> Sites;
  uint64_t Base = 0;
};

} // namespace

PreservedAnalyses SitesPass::run(Module &M, ModuleAnalysisManager &AM) {
  auto &FAM = AM.getResult<FunctionAnalysisManagerModuleProxy>(M).getManager();
  for (Function &F : M) {
    lowerByVal(F);
    promoteStackTokens(F);
  }
  Reach R(M, FAM, Options);
  dropMemoryAttributes(M, [&](const CallBase &Call) { return R.mayReach(Call); });
  SmallVector<Function *, 64> Functions;
  for (Function &F : M)
    if (!F.isDeclaration() && R.needsSites(F))
      Functions.push_back(&F);
  Tables Out;
  for (auto [F, Why] : R.pinned())
    Out.Pinned += (F->getName() + "\t" + Why + "\n").str();
  Counts Total;
  for (Function *F : Functions)
    FunctionSites(*F, FAM, R, Options, Out, Total).run();
  Out.emit(M);
  cast<Function>(pointMarker(M).getCallee())->eraseFromParent();
  if (Options.Verbose)
    errs() << "transproc: " << M.getSourceFileName() << ": functions " << Total.Functions << ", calls " << Total.Calls
           << ", points " << Total.Points << ", listed values " << Total.Listed << ", home objects " << Total.Homes
           << ", stack objects " << Total.Objects << ", not migratable functions " << R.pinned().size() << "\n";
  return PreservedAnalyses::none();
}

std::optional<SitesOptions> parseSitesOptions(StringRef Text) {
  SitesOptions O;
  SmallVector<StringRef, 8> Items;
  Text.split(Items, ';', -1, false);
  for (StringRef Item : Items) {
    if (Item.consume_front("leaf-list="))
      O.LeafList = Item.str();
    else if (Item == "stress")
      O.Stress = true;
    else if (Item == "verbose")
      O.Verbose = true;
    else if (Item == "no-tail-calls")
      O.TailCalls = false;
    else if (Item == "no-points")
      O.Points = false;
    else if (Item == "no-rematerialize")
      O.Rematerialize = false;
    else if (Item == "no-strip-mine")
      O.Loops.StripMine = false;
    else if (Item.consume_front("home=") ? Item.getAsInteger(10, O.HomeSites)
             : Item.consume_front("direct=") ? Item.getAsInteger(10, O.Loops.DirectLimit)
             : Item.consume_front("forget=") ? Item.getAsInteger(10, O.Forget)
             : Item.consume_front("strip=") ? Item.getAsInteger(10, O.Loops.StripLength)
             : Item.consume_front("promote-limit=") ? Item.getAsInteger(10, O.PromoteLimit)
                                                     : true)
      return std::nullopt;
  }
  return O;
}

} // namespace transproc
