/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// What this machine's processor has beyond the baseline, for leaf functions that have a better way then, with the same results.
//
// The process may go on tomorrow on a machine that has less, so an answer holds until the next move, of which there is a count
// (transproc/args.h), and is asked for anew behind it. Between the question and what is done with the answer no move can happen: threads
// are only ever paused at equivalence points, of which a leaf has none. What is not a leaf must not ask.
#ifndef TRANSPROC_PROCESSOR_H
#define TRANSPROC_PROCESSOR_H

#include <stdint.h>
#include <transproc/args.h>

#define ABILITY_WIDE 1 // vectors of 32 bytes, for what is in runtime/libc/wide
#define ABILITY_FUSED 2 // multiplication and addition that are rounded once

// The count of moves at which the processor was asked the last time, and at which it had each ability; before the first time none that
// can be. Threads that ask at the same time write the same.
extern struct transproc_processor {
	uint64_t asked, wide, fused;
} __transproc_processor __attribute__((visibility("protected"))); // protected: it is in this program, so that its address is known

extern struct transproc_args __transproc_args __attribute__((visibility("protected")));

__attribute__((visibility("hidden"))) void __transproc_ask_processor(void);
__attribute__((visibility("hidden"))) unsigned __transproc_abilities(void); // in assembly
__attribute__((visibility("hidden"))) double __transproc_fma(double, double, double); // in assembly, for ABILITY_FUSED
__attribute__((visibility("hidden"))) float __transproc_fmaf(float, float, float);

// Returns from a leaf with the better way's result, if the processor has the ability, or with that of `first_time`, if it has not been asked
// since the last move: that asks, and calls the function again. Otherwise goes on. (So a function needs no frame for the question.)
#define WITH_ABILITY(ability, better, first_time) \
	do { \
		uint64_t moves_ = __transproc_moves(); \
		if (__builtin_expect(__transproc_processor.ability == moves_, 1)) \
			return better; \
		if (__builtin_expect(__transproc_processor.asked != moves_, 0)) \
			return first_time; \
	} while (0)

// Defines `name`, which asks and calls the function again.
#define ASK_FIRST(type, name, parameters, call) \
	static __attribute__((noinline, cold)) type name parameters \
	{ \
		__transproc_ask_processor(); \
		return call; \
	}

#endif
