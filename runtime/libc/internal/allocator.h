/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Between malloc's heap, which is a leaf (allocator.c), and what calls it.
#ifndef TRANSPROC_ALLOCATOR_H
#define TRANSPROC_ALLOCATOR_H

#include <stddef.h>

extern int __transproc_heap_key; // of pthread_setspecific, -1 before there is one
void __transproc_heap_start(void); // before there is a second thread
void __transproc_heap_done(void *heap); // the calling thread ends
void *__transproc_heap_aligned(size_t alignment, size_t size);
size_t __transproc_heap_usable(const void *block);

#endif
