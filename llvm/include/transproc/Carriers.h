/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Carriers: the values in a site's list that stand for an IR value. Each has a type that both back ends
// accept in stack maps and keep with the same low bytes: integers of 8 to 64 bits, pointers, float, double
// ("narrow", one 8-byte slot each), 128-bit vectors ("wide", 16 bytes).
#ifndef TRANSPROC_CARRIERS_H
#define TRANSPROC_CARRIERS_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/IRBuilder.h"

namespace transproc {

struct Carriers {
  llvm::SmallVector<llvm::Value *, 16> Narrow, Wide;
  unsigned size() const { return Narrow.size() + Wide.size(); }
};

// Can a value of this type be listed?
bool isCarriable(llvm::Type *T);

// Appends the carriers of V. Images of i1 values are i8: those made are appended to Bools.
void encodeCarriers(llvm::IRBuilder<> &B, llvm::Value *V, Carriers &Out,
                    llvm::SmallVectorImpl<llvm::Instruction *> &Bools);

// Is a value of this type listed as it is, in one narrow slot?
bool isWord(llvm::Type *T);

// How many narrow values a value of this type is listed as.
unsigned narrowWords(llvm::Type *T);

// Rebuilds listed values, in list order, from the slots of a resume record.
class CarrierReader {
public:
  CarrierReader(llvm::IRBuilder<> &B, llvm::Value *Record, unsigned NarrowCount);
  llvm::Value *read(llvm::Type *T);
  void skipWord() { NextNarrow += 8; }

private:
  llvm::Value *narrow(llvm::Type *T);
  llvm::Value *wide(llvm::Type *T);
  llvm::Value *readInteger(unsigned Bits);
  llvm::Value *readVector(llvm::FixedVectorType *T);
  template <typename Aggregate> llvm::Value *readAggregate(Aggregate *T);

  llvm::IRBuilder<> &B;
  llvm::Value *Record;
  uint64_t NextNarrow, NextWide; // offsets in the record
};

} // namespace transproc
#endif
