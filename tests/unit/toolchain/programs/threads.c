// Threads, thread-local storage, locks, cancellation, barriers, timed waits.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Thread_local int counter = 7;
static _Thread_local _Alignas(64) char aligned[100] = { 9 };
static _Thread_local long zero;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int go, cleaned;
static pthread_key_t key;
static sem_t started, requested;
static int p[2];

static void destroyed(void *value) { __atomic_fetch_add(&cleaned, (int)(intptr_t)value, __ATOMIC_SEQ_CST); }
static void cleanup(void *value) { *(int *)value += 1; }

static void *worker(void *value)
{
	pthread_mutex_lock(&lock);
	while (!go) pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	pthread_setspecific(key, value);
	counter += (int)(intptr_t)value;
	zero++;
	errno = 5;
	if ((uintptr_t)aligned % 64 || aligned[0] != 9) abort();
	return (void *)(intptr_t)(counter + errno + zero);
}

static void *blocked(void *value)
{
	char c;
	pthread_cleanup_push(cleanup, value);
	sem_post(&started);
	read(p[0], &c, 1);
	pthread_cleanup_pop(0);
	return 0;
}

static void *waiting(void *value)
{
	pthread_cleanup_push(cleanup, value);
	pthread_mutex_lock(&lock);
	pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &lock);
	sem_post(&started);
	for (;;) pthread_cond_wait(&changed, &lock);
	pthread_cleanup_pop(1);
	pthread_cleanup_pop(0);
	return 0;
}

static void *spinning(void *value)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
	sem_post(&started);
	for (volatile long i = 0;; i++);
	return value;
}

static void *disabled(void *value)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, 0);
	sem_post(&started);
	sem_wait(&requested); /* so that the request comes while it is disabled, however slow the machine */
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, 0);
	*(int *)value += 1;
	pthread_testcancel();
	return 0;
}

static void cancel(const char *name, void *(*function)(void *))
{
	pthread_t thread;
	void *result;
	int count = 0;
	for (int i = 0; i < 50; i++) {
		pthread_create(&thread, 0, function, &count);
		sem_wait(&started);
		if (i % 2) usleep(200);
		pthread_cancel(thread);
		if (function == disabled) sem_post(&requested);
		pthread_join(thread, &result);
		if (result != PTHREAD_CANCELED) printf("%s: not cancelled\n", name);
	}
	printf("%s %d\n", name, count);
}

int main(void)
{
	pthread_t threads[8];
	long total = 0;
	pthread_key_create(&key, destroyed);
	for (long i = 0; i < 8; i++) pthread_create(&threads[i], 0, worker, (void *)(i + 1));
	pthread_mutex_lock(&lock);
	go = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 8; i++) {
		void *result;
		pthread_join(threads[i], &result);
		total += (long)result;
	}
	printf("total %ld cleaned %d mine %d\n", total, cleaned, counter);
	sem_init(&started, 0, 0);
	sem_init(&requested, 0, 0);
	pipe(p);
	cancel("read", blocked);
	cancel("wait", waiting);
	cancel("asynchronous", spinning);
	cancel("disabled", disabled);
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_nsec += 5000000;
	if (deadline.tv_nsec >= 1000000000) deadline.tv_sec++, deadline.tv_nsec -= 1000000000;
	printf("timed %d %d\n", sem_timedwait(&started, &deadline), errno);
	pthread_mutex_lock(&lock);
	printf("condition %d\n", pthread_cond_timedwait(&changed, &lock, &deadline));
	pthread_attr_t attributes;
	size_t size;
	pthread_attr_init(&attributes);
	pthread_attr_getstacksize(&attributes, &size);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 100; i++) {
		pthread_create(&threads[0], &attributes, worker, 0);
		usleep(50);
	}
	printf("stack %zu\n", size);
	puts("done");
	return 0;
}
