// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ids and result descriptors.
#include "transproc/Layout.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/Twine.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/Metadata.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;

namespace transproc {

uint64_t idBase(const Function &F) {
  const Module &M = *F.getParent();
  std::string Key = (Twine(M.getSourceFileName()) + ":" + F.getName()).str();
  if (auto *Unit = M.getNamedMetadata(UnitDigest)) // files whose names are alike
    Key += ":" + cast<MDString>(Unit->getOperand(0)->getOperand(0))->getString().str();
  return xxHash64(Key) << 24;
}

namespace {
constexpr uint8_t Integer = 1, Vector = 2, Bool = 1 << 5;
uint8_t scalar(uint8_t Class, unsigned Log2) { return Class | Log2 << 2; }

// Appends the registers' scalars of T in memory order; false if an ISA would pass them in another way.
bool scalars(Type *T, SmallVectorImpl<uint8_t> &Out) {
  if (auto *S = dyn_cast<StructType>(T)) {
    for (Type *E : S->elements())
      if (S->isPacked() || !scalars(E, Out))
        return false;
    return true;
  }
  if (auto *A = dyn_cast<ArrayType>(T)) {
    for (uint64_t I = 0; I < A->getNumElements(); ++I)
      if (Out.size() > 4 || !scalars(A->getElementType(), Out))
        return false;
    return true;
  }
  if (T->isPointerTy())
    return Out.push_back(scalar(Integer, 3)), true;
  if (T->isFloatTy())
    return Out.push_back(scalar(Vector, 2)), true;
  if (T->isDoubleTy())
    return Out.push_back(scalar(Vector, 3)), true;
  if (T->isFP128Ty())
    return Out.push_back(scalar(Vector, 4)), true;
  if (auto *I = dyn_cast<IntegerType>(T)) {
    switch (I->getBitWidth()) {
    case 1: return Out.push_back(scalar(Integer, 0) | Bool), true;
    case 8: return Out.push_back(scalar(Integer, 0)), true;
    case 16: return Out.push_back(scalar(Integer, 1)), true;
    case 32: return Out.push_back(scalar(Integer, 2)), true;
    case 64: return Out.push_back(scalar(Integer, 3)), true;
    case 128: return Out.append({scalar(Integer, 3), scalar(Integer, 3)}), true; // two registers
    default: return false;
    }
  }
  if (auto *V = dyn_cast<FixedVectorType>(T)) {
    unsigned Bits = V->getPrimitiveSizeInBits().getFixedValue(); // 0 for vectors of pointers
    if (V->getNumElements() > 1 && (Bits == 64 || Bits == 128))
      return Out.push_back(scalar(Vector, Bits == 64 ? 3 : 4)), true;
  }
  return false;
}
} // namespace

uint32_t resultDescriptor(Type *T) {
  if (T->isVoidTy())
    return 0;
  SmallVector<uint8_t, 8> Parts;
  if (!scalars(T, Parts) || Parts.size() > 3)
    return NotCapturable;
  unsigned Count[3] = {0, 0, 0};
  uint32_t Descriptor = 0;
  for (unsigned I = 0; I < Parts.size(); ++I) {
    if (++Count[Parts[I] & 3] > 2)
      return NotCapturable;
    Descriptor |= static_cast<uint32_t>(Parts[I]) << 8 * I;
  }
  return Descriptor;
}

} // namespace transproc
