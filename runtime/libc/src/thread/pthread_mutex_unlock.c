/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define __pthread_mutex_unlock __transproc_unlock_of_any
#define pthread_mutex_unlock __transproc_unlock_alias
#include <pthread.h>
__attribute__((__noinline__)) int __transproc_unlock_of_any(pthread_mutex_t *);
#include <../thread/pthread_mutex_unlock.c> // musl's, for what is not usual
#undef __pthread_mutex_unlock
#undef pthread_mutex_unlock
#include "single_thread.h"

int __pthread_mutex_unlock(pthread_mutex_t *m)
{
	if (!__transproc_alone(m))
		return __transproc_unlock_of_any(m);
	m->_m_lock = 0; // nobody is there to be woken
	return 0;
}

weak_alias(__pthread_mutex_unlock, pthread_mutex_unlock);
