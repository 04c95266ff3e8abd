/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Atomic objects that are wider than the front end's registers: what the front end calls __atomic_*, with one lock for each of some
 * addresses, held for the time of a copy. All ISAs must agree on which objects take a lock, so the lock-free instructions for 16 bytes,
 * which both have, are not used. */
#include <stdint.h>
#include <string.h>

enum { LOCKS = 64 };

static volatile char locks[LOCKS];

static volatile char *take(const volatile void *object)
{
	volatile char *lock = &locks[((uintptr_t)object >> 4) % LOCKS];
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		;
	return lock;
}

static void release(volatile char *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#pragma redefine_extname transproc_atomic_load __atomic_load
#pragma redefine_extname transproc_atomic_store __atomic_store
#pragma redefine_extname transproc_atomic_exchange __atomic_exchange
#pragma redefine_extname transproc_atomic_compare_exchange __atomic_compare_exchange

void transproc_atomic_load(size_t size, const void *object, void *value, int order)
{
	volatile char *lock = take(object);
	memcpy(value, object, size);
	release(lock);
}

void transproc_atomic_store(size_t size, void *object, const void *value, int order)
{
	volatile char *lock = take(object);
	memcpy(object, value, size);
	release(lock);
}

void transproc_atomic_exchange(size_t size, void *object, const void *value, void *old, int order)
{
	char copy[64];
	volatile char *lock = take(object);
	for (size_t done = 0, part; done < size; done += part) {
		part = size - done < sizeof copy ? size - done : sizeof copy;
		memcpy(copy, (const char *)value + done, part);
		memcpy((char *)old + done, (char *)object + done, part);
		memcpy((char *)object + done, copy, part);
	}
	release(lock);
}

int transproc_atomic_compare_exchange(size_t size, void *object, void *expected, const void *value, int success, int failure)
{
	volatile char *lock = take(object);
	int equal = !memcmp(object, expected, size);
	memcpy(equal ? object : expected, equal ? value : object, size);
	release(lock);
	return equal;
}
