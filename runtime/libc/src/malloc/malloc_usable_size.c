/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <malloc.h>
#include "allocator.h"

size_t malloc_usable_size(void *block)
{
	return __transproc_heap_usable(block);
}
