// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "transproc/Prepare.h"
#include "transproc/Steps.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"

using namespace llvm;

namespace transproc {
namespace {

constexpr unsigned MaxRounds = 6; // chains of cheap values longer than this are rare

enum class Cost {
  No,
  Cheap,
  Address, // cheap if folded into the addressing mode of loads and stores
};

bool isCheapOperation(const BinaryOperator &I) {
  if (!I.getType()->isIntegerTy() || I.getType()->getIntegerBitWidth() > 64 || !isa<ConstantInt>(I.getOperand(1)))
    return false;
  switch (I.getOpcode()) {
  case Instruction::Add:
  case Instruction::Sub:
  case Instruction::And:
  case Instruction::Or:
  case Instruction::Xor:
  case Instruction::Shl:
  case Instruction::LShr:
  case Instruction::AShr: return true;
  default: return false;
  }
}

Cost costOf(const Instruction &I) {
  if (I.getType()->isVectorTy() || (I.getNumOperands() && I.getOperand(0)->getType()->isVectorTy()))
    return Cost::No;
  for (const Value *Operand : I.operands())
    if (isa<UndefValue>(Operand)) // two copies could differ
      return Cost::No;
  if (auto *G = dyn_cast<GetElementPtrInst>(&I))
    return G->hasAllConstantIndices() ? Cost::Cheap : Cost::Address;
  if (isa<ZExtInst, SExtInst, TruncInst, PtrToIntInst, IntToPtrInst, BitCastInst, ICmpInst>(I))
    return Cost::Cheap;
  if (auto *B = dyn_cast<BinaryOperator>(&I); B && isCheapOperation(*B))
    return Cost::Cheap;
  return Cost::No;
}

bool onlyAddressesMemory(const Instruction &I) {
  return all_of(I.users(), [&](const User *U) {
    auto *Store = dyn_cast<StoreInst>(U);
    return isa<LoadInst>(U) || (Store && Store->getPointerOperand() == &I);
  });
}

class Rematerializer {
public:
  Rematerializer(Function &F, const SiteSet &Sites) : F(F), Sites(Sites) {}

  // One pass over all listed values; false if nothing changed.
  bool round() {
    Liveness L(F);
    std::vector<BitVector> Lists;
    L.atSites(Sites, [&](Instruction &, const BitVector &Live) { Lists.push_back(Live); });
    BitVector Listed(L.size());
    for (const BitVector &List : Lists)
      Listed |= List;
    bool Changed = false;
    for (unsigned K : Listed.set_bits())
      if (auto *I = dyn_cast<Instruction>(L.value(K)); I && !Sites.contains(I) && pays(*I, K, L, Lists))
        Changed |= copyBeyondSites(*I);
    eraseUnused();
    return Changed;
  }

private:
  // A copy needs the operands. One new listed value for an old one is a fair exchange, more are not unless they are listed anyway.
  bool pays(const Instruction &I, unsigned K, const Liveness &L, const std::vector<BitVector> &Lists) const {
    Cost C = costOf(I);
    if (C == Cost::No || (C == Cost::Address && !onlyAddressesMemory(I)))
      return false;
    SmallVector<unsigned, 4> Needs;
    for (const Value *Operand : I.operands())
      if (int Index = L.index(Operand); Index >= 0)
        Needs.push_back(Index);
    if (Needs.size() <= 1 && C == Cost::Cheap)
      return true;
    return all_of(Lists, [&](const BitVector &List) {
      return !List.test(K) || all_of(Needs, [&](unsigned Need) { return List.test(Need); });
    });
  }

  bool siteBetween(const Instruction &From, const Instruction *To) const {
    for (const Instruction *I = From.getNextNode(); I && I != To; I = I->getNextNode())
      if (Sites.contains(I))
        return true;
    return false;
  }

  bool isBeyondSite(const Instruction &I, const Use &U) const {
    auto *User = cast<Instruction>(U.getUser());
    if (auto *Phi = dyn_cast<PHINode>(User))
      return Phi->getIncomingBlock(U) != I.getParent() || siteBetween(I, nullptr);
    return User->getParent() != I.getParent() || siteBetween(I, User);
  }

  bool copyBeyondSites(Instruction &I) {
    SmallVector<Use *, 16> Uses;
    for (Use &U : I.uses())
      if (isBeyondSite(I, U))
        Uses.push_back(&U);
    copyToUses(I, Uses);
    return !Uses.empty();
  }

  void eraseUnused() {
    for (BasicBlock &BB : F)
      for (Instruction &I : make_early_inc_range(reverse(BB)))
        if (I.use_empty() && costOf(I) != Cost::No)
          I.eraseFromParent();
  }

  Function &F;
  const SiteSet &Sites;
};

} // namespace

void rematerialize(Function &F, const SiteSet &Sites) {
  Rematerializer R(F, Sites);
  for (unsigned I = 0; I < MaxRounds && R.round(); ++I)
    ;
}

} // namespace transproc
