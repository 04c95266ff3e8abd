/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The set-up of the heap; and that of a thread that ends goes to those that remain.

#include <pthread.h>
#include "allocator.h"

int __transproc_heap_key = -1;

static void done(void *heap)
{
	__transproc_heap_done(heap);
}

__attribute__((constructor)) static void prepare(void)
{
	pthread_key_t key;
	if (!pthread_key_create(&key, done))
		__transproc_heap_key = key;
	__transproc_heap_start();
}
