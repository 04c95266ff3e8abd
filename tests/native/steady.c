/*
 * Goes on until a file named `stop` is in its working directory: prints numbered lines, each with an answer of a child process and a sum
 * over its memory, and appends them to a file as well. A line that is lost, comes twice, or is computed from a stale page shows.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 1 << 15, DELAY = 2000 };

static uint64_t memory[WORDS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile int done;

static void *churn(void *unused)
{
	(void)unused;
	while (!done) {
		pthread_mutex_lock(&mutex);
		for (int i = 0; i < WORDS; i += 512) { /* whatever happens in between, the sum stays */
			memory[i]++;
			memory[i + 1]--;
		}
		pthread_mutex_unlock(&mutex);
		usleep(DELAY / 2);
	}
	return NULL;
}

static void answer(int from, int to)
{
	uint64_t n;
	while (read(from, &n, sizeof n) == sizeof n) {
		n = n * n + 1;
		if (write(to, &n, sizeof n) != sizeof n)
			break;
	}
	_exit(7);
}

int main(void)
{
	int there[2], back[2], status = 0;
	pthread_t thread;
	if (pipe(there) || pipe(back))
		return 1;
	pid_t child = fork();
	if (child == 0) {
		close(there[1]);
		close(back[0]);
		answer(there[0], back[1]);
	}
	close(there[0]);
	close(back[1]);
	for (uint64_t i = 0; i < WORDS; i++)
		memory[i] = i;
	FILE *file = fopen("lines", "w");
	pthread_create(&thread, NULL, churn, NULL);
	for (uint64_t n = 0; access("stop", F_OK); n++) {
		uint64_t square = n, sum = 0;
		if (write(there[1], &square, 8) != 8 || read(back[0], &square, 8) != 8)
			return 2;
		pthread_mutex_lock(&mutex);
		memory[n % WORDS] += 1;
		for (int i = 0; i < WORDS; i++)
			sum += memory[i];
		pthread_mutex_unlock(&mutex);
		printf("%lu %lu %lu\n", (unsigned long)n, (unsigned long)square, (unsigned long)sum);
		fprintf(file, "%lu %lu %lu\n", (unsigned long)n, (unsigned long)square, (unsigned long)sum);
		fflush(stdout);
		fflush(file);
		usleep(DELAY);
	}
	done = 1;
	pthread_join(thread, NULL);
	close(there[1]);
	if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
		return 3;
	puts("end");
	return 0;
}
