/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "processor.h"

#define NEVER UINT64_MAX // no count of moves

struct transproc_processor __transproc_processor = {NEVER, NEVER, NEVER};

void __transproc_ask_processor(void)
{
	uint64_t moves = __transproc_moves();
	unsigned found = __transproc_abilities();
	__transproc_processor.wide = found & ABILITY_WIDE ? moves : NEVER;
	__transproc_processor.fused = found & ABILITY_FUSED ? moves : NEVER;
	*(volatile uint64_t *)&__transproc_processor.asked = moves;
}
