/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdlib.h>
#include "allocator.h"

void *aligned_alloc(size_t alignment, size_t size)
{
	return __transproc_heap_aligned(alignment, size);
}
