// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How each IR type is listed. The limits are those of LLVM 19's stack map lowering, found by trying each
// type on both back ends: i128 cannot be selected in a stackmap, 64-bit vectors cannot be widened, wider
// vectors cannot be split, odd element counts crash aarch64.
#include "transproc/Carriers.h"
#include "transproc/Layout.h"
#include "llvm/IR/DataLayout.h"

using namespace llvm;

namespace transproc {
namespace {

constexpr unsigned MaxArrayElements = 64;

bool isPlainElement(Type *E) {
  return E->isIntegerTy(8) || E->isIntegerTy(16) || E->isIntegerTy(32) || E->isIntegerTy(64) ||
         E->isFloatTy() || E->isDoubleTy() || E->isPointerTy();
}

bool isNarrowInteger(unsigned Bits) { return Bits == 8 || Bits == 16 || Bits == 32 || Bits == 64; }

unsigned bitsOf(Type *T) {
  if (T->isPointerTy())
    return 64;
  if (auto *V = dyn_cast<FixedVectorType>(T))
    return V->getNumElements() * bitsOf(V->getElementType());
  return T->getPrimitiveSizeInBits().getFixedValue();
}

enum class VectorShape { Wide, AsDouble, WideParts, Words };

VectorShape shapeOf(FixedVectorType *T) {
  unsigned Bits = bitsOf(T);
  if (isPlainElement(T->getElementType())) {
    if (Bits == 128)
      return VectorShape::Wide;
    if (Bits == 64 && T->getNumElements() > 1)
      return VectorShape::AsDouble;
    if (Bits > 128 && Bits % 128 == 0)
      return VectorShape::WideParts;
  }
  return VectorShape::Words;
}

SmallVector<int, 16> consecutive(unsigned First, unsigned Count) {
  SmallVector<int, 16> Mask;
  for (unsigned I = 0; I < Count; ++I)
    Mask.push_back(First + I);
  return Mask;
}

class Encoder {
public:
  Encoder(IRBuilder<> &B, Carriers &Out, SmallVectorImpl<Instruction *> &Bools)
      : B(B), Out(Out), Bools(Bools) {}

  void encode(Value *V) {
    Type *T = V->getType();
    if (T->isPointerTy() || T->isFloatTy() || T->isDoubleTy())
      Out.Narrow.push_back(V);
    else if (auto *I = dyn_cast<IntegerType>(T))
      encodeInteger(V, I->getBitWidth());
    else if (auto *F = dyn_cast<FixedVectorType>(T))
      encodeVector(V, F);
    else if (T->isAggregateType())
      for (unsigned I = 0, N = elements(T); I < N; ++I)
        encode(B.CreateExtractValue(V, I));
    else // half, bfloat, fp128, x86_fp80
      encode(B.CreateBitCast(V, B.getIntNTy(bitsOf(T))));
  }

private:
  static unsigned elements(Type *T) {
    return isa<StructType>(T) ? T->getStructNumElements() : T->getArrayNumElements();
  }

  void encodeInteger(Value *V, unsigned Bits) {
    if (isNarrowInteger(Bits)) {
      Out.Narrow.push_back(V);
    } else if (Bits == 1) {
      Value *Image = B.CreateZExt(V, B.getInt8Ty());
      if (auto *I = dyn_cast<ZExtInst>(Image))
        Bools.push_back(I);
      Out.Narrow.push_back(Image);
    } else {
      unsigned Words = (Bits + 63) / 64;
      Value *Whole = B.CreateZExt(V, B.getIntNTy(Words * 64));
      for (unsigned I = 0; I < Words; ++I)
        Out.Narrow.push_back(B.CreateTrunc(I ? B.CreateLShr(Whole, 64 * I) : Whole, B.getInt64Ty()));
    }
  }

  void encodeVector(Value *V, FixedVectorType *T) {
    unsigned Bits = bitsOf(T), Count = T->getNumElements();
    switch (shapeOf(T)) {
    case VectorShape::Wide: Out.Wide.push_back(V); break;
    case VectorShape::AsDouble: Out.Narrow.push_back(B.CreateBitCast(V, B.getDoubleTy())); break;
    case VectorShape::WideParts: {
      unsigned PerPart = Count / (Bits / 128);
      for (unsigned First = 0; First < Count; First += PerPart)
        Out.Wide.push_back(B.CreateShuffleVector(V, consecutive(First, PerPart)));
      break;
    }
    case VectorShape::Words:
      if (T->getElementType()->isPointerTy())
        V = B.CreatePtrToInt(V, FixedVectorType::get(B.getInt64Ty(), Count));
      encodeInteger(B.CreateBitCast(V, B.getIntNTy(Bits)), Bits);
    }
  }

  IRBuilder<> &B;
  Carriers &Out;
  SmallVectorImpl<Instruction *> &Bools;
};

} // namespace

bool isCarriable(Type *T) {
  if (auto *S = dyn_cast<StructType>(T)) {
    for (Type *E : S->elements())
      if (!isCarriable(E))
        return false;
    return true;
  }
  if (auto *A = dyn_cast<ArrayType>(T))
    return A->getNumElements() <= MaxArrayElements && isCarriable(A->getElementType());
  if (auto *V = dyn_cast<FixedVectorType>(T))
    return isCarriable(V->getElementType());
  return T->isPointerTy() || T->isIntegerTy() || T->isFloatingPointTy();
}

bool isWord(Type *T) {
  return T->isPointerTy() || T->isFloatTy() || T->isDoubleTy() || (T->isIntegerTy() && isNarrowInteger(T->getIntegerBitWidth()));
}

unsigned narrowWords(Type *T) {
  if (isWord(T))
    return 1;
  if (auto *S = dyn_cast<StructType>(T)) {
    unsigned Sum = 0;
    for (Type *E : S->elements())
      Sum += narrowWords(E);
    return Sum;
  }
  if (auto *A = dyn_cast<ArrayType>(T))
    return A->getNumElements() * narrowWords(A->getElementType());
  if (auto *V = dyn_cast<FixedVectorType>(T)) {
    VectorShape Shape = shapeOf(V);
    if (Shape == VectorShape::Wide || Shape == VectorShape::WideParts)
      return 0;
  }
  return (bitsOf(T) + 63) / 64;
}

void encodeCarriers(IRBuilder<> &B, Value *V, Carriers &Out, SmallVectorImpl<Instruction *> &Bools) {
  Encoder(B, Out, Bools).encode(V);
}

CarrierReader::CarrierReader(IRBuilder<> &B, Value *Record, unsigned NarrowCount)
    : B(B), Record(Record), NextNarrow(RecordSlots),
      NextWide(alignTo(RecordSlots + 8 * NarrowCount, 16)) {}

Value *CarrierReader::narrow(Type *T) {
  Value *Slot = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Record, NextNarrow);
  NextNarrow += 8;
  return B.CreateAlignedLoad(T, Slot, Align(8));
}

Value *CarrierReader::wide(Type *T) {
  Value *Slot = B.CreateConstInBoundsGEP1_64(B.getInt8Ty(), Record, NextWide);
  NextWide += 16;
  return B.CreateAlignedLoad(T, Slot, Align(16));
}

Value *CarrierReader::readInteger(unsigned Bits) {
  if (isNarrowInteger(Bits))
    return narrow(B.getIntNTy(Bits));
  if (Bits == 1)
    return B.CreateTrunc(narrow(B.getInt8Ty()), B.getInt1Ty());
  unsigned Words = (Bits + 63) / 64;
  Type *WholeType = B.getIntNTy(Words * 64);
  Value *Whole = B.CreateZExt(narrow(B.getInt64Ty()), WholeType);
  for (unsigned I = 1; I < Words; ++I)
    Whole = B.CreateOr(Whole, B.CreateShl(B.CreateZExt(narrow(B.getInt64Ty()), WholeType), 64 * I));
  return B.CreateTrunc(Whole, B.getIntNTy(Bits));
}

Value *CarrierReader::readVector(FixedVectorType *T) {
  unsigned Bits = bitsOf(T), Count = T->getNumElements();
  Type *E = T->getElementType();
  switch (shapeOf(T)) {
  case VectorShape::Wide: return wide(T);
  case VectorShape::AsDouble: return narrow(T); // a vector's bytes are those of the double
  case VectorShape::WideParts: {
    unsigned PerPart = Count / (Bits / 128);
    Value *Whole = PoisonValue::get(T);
    for (unsigned First = 0; First < Count; First += PerPart) {
      Value *Part = wide(FixedVectorType::get(E, PerPart));
      for (unsigned I = 0; I < PerPart; ++I)
        Whole = B.CreateInsertElement(Whole, B.CreateExtractElement(Part, I), First + I);
    }
    return Whole;
  }
  case VectorShape::Words: {
    Value *Whole = readInteger(Bits);
    if (!E->isPointerTy())
      return B.CreateBitCast(Whole, T);
    return B.CreateIntToPtr(B.CreateBitCast(Whole, FixedVectorType::get(B.getInt64Ty(), Count)), T);
  }
  }
  llvm_unreachable("covered switch");
}

template <typename Aggregate> Value *CarrierReader::readAggregate(Aggregate *T) {
  Value *Whole = PoisonValue::get(T);
  for (unsigned I = 0; I < T->getNumElements(); ++I) {
    Type *E = isa<StructType>(T) ? cast<StructType>(T)->getElementType(I) : T->getArrayElementType();
    Whole = B.CreateInsertValue(Whole, read(E), I);
  }
  return Whole;
}

Value *CarrierReader::read(Type *T) {
  if (T->isPointerTy() || T->isFloatTy() || T->isDoubleTy())
    return narrow(T);
  if (auto *I = dyn_cast<IntegerType>(T))
    return readInteger(I->getBitWidth());
  if (auto *V = dyn_cast<FixedVectorType>(T))
    return readVector(V);
  if (auto *S = dyn_cast<StructType>(T))
    return readAggregate<StructType>(S);
  if (auto *A = dyn_cast<ArrayType>(T))
    return readAggregate<ArrayType>(A);
  return B.CreateBitCast(readInteger(bitsOf(T)), T);
}

} // namespace transproc
