// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/Invokes.h"
#include "transproc/Steps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/CycleInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;

namespace transproc {
namespace {

struct Listing {
  unsigned Sites = 0;
  bool InLoop = false;
};

MapVector<Value *, Listing> countListings(ArrayRef<Site> Sites, const CycleInfo &Cycles) {
  MapVector<Value *, Listing> Count;
  for (const Site &S : Sites)
    for (Value *V : S.Live) {
      Listing &L = Count[V];
      ++L.Sites;
      L.InLoop |= Cycles.getCycle(S.Call->getParent()) != nullptr;
    }
  return Count;
}

// Stored once: neither in a loop (it would cost a store in each iteration) nor by an intrinsic's token.
bool mayHaveHome(Value *V, const CycleInfo &Cycles) {
  auto *I = dyn_cast<Instruction>(V);
  return !I || (!isa<IntrinsicInst>(I) && !isa<AllocaInst>(I) && !isStackToken(I) && !Cycles.getCycle(I->getParent()));
}

void storeAtDefinition(Value *V, AllocaInst *Home, Function &F) {
  BasicBlock::iterator Where;
  if (auto *I = dyn_cast<Instruction>(V))
    Where = behind(*I);
  else
    for (Where = F.getEntryBlock().begin(); isa<AllocaInst>(Where);)
      ++Where;
  new StoreInst(V, Home, Where);
}

AllocaInst *makeHome(Value *V, Function &F) {
  IRBuilder<> B(&F.getEntryBlock().front());
  AllocaInst *Home = B.CreateAlloca(V->getType(), nullptr, "home");
  storeAtDefinition(V, Home, F);
  return Home;
}

// Moves the values that Homes knows, and Stays does not hold back, from a site's list to its homes.
void moveToHomes(Site &S, const DenseMap<Value *, AllocaInst *> &Homes, function_ref<bool(Value *)> Stays) {
  erase_if(S.Live, [&](Value *V) {
    AllocaInst *Home = Homes.lookup(V);
    if (!Home || Stays(V))
      return false;
    S.Homes.push_back({V, Home});
    return true;
  });
}

} // namespace

unsigned useHomeObjects(Function &F, MutableArrayRef<Site> Sites, ArrayRef<Value *> Keep, unsigned MinSites) {
  CycleInfo Cycles; // not only natural loops
  Cycles.compute(F);
  DenseMap<Value *, AllocaInst *> Homes;
  for (auto &[V, L] : countListings(Sites, Cycles))
    if (L.Sites >= MinSites && L.InLoop && mayHaveHome(V, Cycles) && !is_contained(Keep, V))
      Homes[V] = makeHome(V, F);
  for (Site &S : Sites)
    moveToHomes(S, Homes, [](Value *) { return false; });
  return Homes.size();
}

unsigned homeJumps(Function &F, MutableArrayRef<Site> Sites, ArrayRef<Value *> Keep) {
  DenseMap<Value *, AllocaInst *> Homes;
  for (Site &S : Sites)
    if (S.Jump)
      for (Value *V : S.Live)
        if (AllocaInst *&Home = Homes[V]; !Home)
          Home = makeHome(V, F);
  for (Site &S : Sites)
    moveToHomes(S, Homes, [&](Value *V) { return !S.Jump && is_contained(Keep, V); });
  return Homes.size();
}

} // namespace transproc
