/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Mutexes of a process with one thread need no atomic operations, which take four times as long as all else: so glibc does it, too. */
#ifndef TRANSPROC_SINGLE_THREAD_H
#define TRANSPROC_SINGLE_THREAD_H

#include "pthread_impl.h"

#define SHARED_BY_PROCESSES 128

/* Whether nobody else can have a mutex: an ordinary one, which does not know its owner. */
static inline int __transproc_alone(const pthread_mutex_t *m)
{
	return !(m->_m_type & (15 | SHARED_BY_PROCESSES)) && !libc.need_locks;
}

/* After an atomic operation: if the last other thread has ended, which makes need_locks -1, what it wrote is seen from here on. */
static inline void __transproc_alone_again(void)
{
	if (libc.need_locks < 0) {
		a_barrier();
		libc.need_locks = 0;
	}
}

#endif
