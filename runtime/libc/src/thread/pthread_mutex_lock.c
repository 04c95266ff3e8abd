/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "single_thread.h"

int __pthread_mutex_lock(pthread_mutex_t *m)
{
	if (__transproc_alone(m) && !m->_m_lock) {
		m->_m_lock = EBUSY;
		return 0;
	}
	if ((m->_m_type & 15) == PTHREAD_MUTEX_NORMAL && !a_cas(&m->_m_lock, 0, EBUSY)) {
		__transproc_alone_again();
		return 0;
	}
	return __pthread_mutex_timedlock(m, 0);
}

weak_alias(__pthread_mutex_lock, pthread_mutex_lock);
