/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define __pthread_mutex_trylock __transproc_trylock_of_any
#define pthread_mutex_trylock __transproc_trylock_alias
#include <../thread/pthread_mutex_trylock.c> // musl's, for what is not usual
#undef __pthread_mutex_trylock
#undef pthread_mutex_trylock
#include "single_thread.h"

int __pthread_mutex_trylock(pthread_mutex_t *m)
{
	if (!__transproc_alone(m))
		return __transproc_trylock_of_any(m);
	if (m->_m_lock)
		return EBUSY;
	m->_m_lock = EBUSY;
	return 0;
}

weak_alias(__pthread_mutex_trylock, pthread_mutex_trylock);
