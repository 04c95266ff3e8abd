/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The formats the pass shares with the transformer: stack map ids, list headers, resume records.
// docs/format.md, sections 3 and 4, is the contract; nothing else in llvm/ knows these numbers.
#ifndef TRANSPROC_LAYOUT_H
#define TRANSPROC_LAYOUT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/Type.h"
#include <cstdint>

namespace transproc {

// struct transproc_record
constexpr uint64_t RecordOuter = 8;    // caller's record
constexpr uint64_t RecordSite = 16;    // stack map id
constexpr uint64_t RecordObjects = 24; // array of addresses of the function's stack objects
constexpr uint64_t RecordResult = 32;  // result of the pending call
constexpr uint64_t RecordResultBytes = 32;
constexpr uint64_t RecordSlots = 80; // narrow values, then (16-aligned) wide values

// A point is a patchable statepoint: a call site that calls nothing. This many bytes of nop stand where the call would be
// (aarch64: one instruction).
constexpr unsigned PointBytes = 4;

// Named metadata: a digest of what the front end wrote, and of the options with which code is made of it.
constexpr const char *UnitDigest = "transproc.unit";

// hash40(source file, function, unit) << 24: common to all sites of a function. Of an inline or weak function several files may have one:
// these differ.
uint64_t idBase(const llvm::Function &F);

constexpr uint64_t MaxSites = 1u << 23;
constexpr uint64_t IdMask = (1u << 24) - 1; // the part of an id that is unique within its function
// Bit 0, the kind, is 0: call. (A stackmap would be of kind 1, but it forces a frame pointer, and LLVM 19 runs out of registers where
// it rematerialises operands of one; -restrict-statepoint-remat saves only statepoints from that.)
// In a record: instead of returning, the call has thrown.
constexpr uint64_t ThrownBit = 1;
inline uint64_t siteId(uint64_t Base, uint64_t Index) { return Base | Index << 1; }

// First operand of every list.
inline uint64_t listHeader(uint64_t Narrow, uint64_t Wide, uint32_t Result) {
  return Narrow | Wide << 16 | static_cast<uint64_t>(Result) << 32;
}
constexpr uint64_t MaxListed = 0xffff;
inline unsigned headerNarrow(uint64_t Header) { return Header & 0xffff; }

// Result descriptor of a call that returns `T`; NotCapturable if its registers differ between the ISAs.
constexpr uint32_t NotCapturable = 0xffffffff;
uint32_t resultDescriptor(llvm::Type *T);

// Head of an object list, and the constant that follows each object's address.
inline uint64_t objectsHeader(uint64_t Count, bool DynamicAllocas, bool Jumps) {
  return Count | static_cast<uint64_t>(DynamicAllocas) << 32 | static_cast<uint64_t>(Jumps) << 33;
}
inline uint64_t objectShape(uint64_t Size, uint64_t Alignment) { return Size | Alignment << 48; }

} // namespace transproc
#endif
