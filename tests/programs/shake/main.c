/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See shake.h. */
#include "shake.h"
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { BEAT = 20000 /* us */, MOST_DEEDS = 64 };

struct board *board;
const char *outside;
int processes, threads;
static size_t pages, longest_rest, deed_count, weights;
static uint64_t seed;
static char **steps; /* of each worker; NULL: until told */
static struct deed deeds[MOST_DEEDS];
static struct worker workers[MOST_THREADS];

uint64_t next(struct worker *worker)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random * 0x2545f4914f6cdd1du;
}

void found(struct worker *worker, uint64_t value)
{
	worker->digest = (worker->digest ^ value) * 0x9e3779b97f4a7c15u;
	worker->digest ^= worker->digest >> 32;
}

void wrong(const struct worker *worker, const char *text, uint64_t seen, uint64_t expected)
{
	static char line[512];
	int size = snprintf(line, sizeof line, "wrong: worker %d%s, step %llu, %s: %s: %llx, expected %llx\n", worker->number, worker->child ? " (child)" : "", (unsigned long long)worker->step,
		worker->doing ? worker->doing : "at the beginning", text, (unsigned long long)seen, (unsigned long long)expected);
	(void)!write(1, line, (size_t)size);
	board->failed = 1;
	_exit(WRONG);
}

void step(struct worker *worker)
{
	size_t which = below(worker, weights), i = 0;
	while (which >= (size_t)deeds[i].weight)
		which -= (size_t)deeds[i++].weight;
	worker->doing = deeds[i].name;
	worker->step++;
	found(worker, i);
	deeds[i].act(worker);
	if (longest_rest) { /* its own number: those of the deeds stay the same */
		static _Thread_local unsigned rest = 1;
		rest = rest * 1103515245u + 12345u;
		usleep(rest / 65536 % longest_rest);
	}
}

void check_all(struct worker *worker)
{
	worker->doing = "the end";
	check_memory(worker);
	check_files(worker);
	check_channels(worker);
	check_waits(worker);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	uint64_t most = steps ? strtoull(steps[worker->number], NULL, 10) : UINT64_MAX;
	prepare_memory(worker, pages);
	prepare_files(worker);
	prepare_channels(worker);
	prepare_waits(worker);
	while (worker->step < most && !board->stop && !board->failed) {
		step(worker);
		worker->result->steps = worker->step;
	}
	check_all(worker);
	worker->result->digest = worker->digest;
	worker->result->done = true;
	sem_post(&worker->result->asked); /* who serves ends as well */
	return NULL;
}

/* All signals are for those who wait for them, but SIGALRM for the first thread, and the one of `guard`. */
static void mask(bool takes_ticks)
{
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	if (takes_ticks)
		sigdelset(&all, SIGALRM);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static void work_in_process(int process)
{
	pthread_t made[MOST_THREADS];
	for (int i = 0; i < threads; i++) {
		int number = process * threads + i;
		workers[i] = (struct worker){ .process = process, .thread = i, .number = number, .random = (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)number * 0xd6e8feb86659fd93u, .result = &board->results[number] };
		if (pthread_create(&made[i], NULL, work, &workers[i]) != 0)
			exit(1);
	}
	start_ticking();
	mask(true);
	for (unsigned beat = 0; process == 0 && !board->stop && !steps; beat++) {
		printf("%u\n", beat);
		fflush(stdout);
		usleep(BEAT);
		if (board->failed)
			exit(WRONG);
		board->stop = access("stop", F_OK) == 0;
	}
	for (int i = 0; i < threads; i++)
		pthread_join(made[i], NULL);
}

static bool is_wanted(const char *names, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = names; at; at = strchr(at, ','), at += at != NULL)
		if (strncmp(at, name, length) == 0 && (at[length] == 0 || at[length] == ','))
			return true;
	return strcmp(names, "all") == 0;
}

static void choose_deeds(const char *names)
{
	const struct deed *tables[] = { memory_deeds, object_deeds, file_deeds, channel_deeds, wait_deeds, process_deeds };
	for (size_t table = 0; table < sizeof tables / sizeof *tables; table++)
		for (const struct deed *deed = tables[table]; deed->name; deed++)
			if (is_wanted(names, deed->name)) {
				deeds[deed_count++] = *deed;
				weights += (size_t)deed->weight;
			}
}

static void report(void)
{
	printf("end\n");
	for (int i = 0; i < processes * threads; i++)
		printf("%llu %llx\n", (unsigned long long)board->results[i].steps, (unsigned long long)board->results[i].digest);
}

int main(int argc, char **argv)
{
	pid_t children[MOST_PROCESSES];
	if (argc < 8)
		return 2;
	seed = strtoull(argv[1], NULL, 10);
	processes = atoi(argv[2]);
	threads = atoi(argv[3]);
	pages = strtoul(argv[4], NULL, 10);
	longest_rest = strtoul(argv[5], NULL, 10);
	choose_deeds(argv[6]);
	outside = argv[7];
	steps = argc > 8 ? argv + 8 : NULL;
	if (!deed_count || processes < 1 || processes > MOST_PROCESSES || threads < 1 || threads > MOST_THREADS || (steps && argc - 8 != processes * threads))
		return 2;
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < processes * threads; i++) {
		sem_init(&board->results[i].asked, 1, 0);
		sem_init(&board->results[i].answered, 1, 0);
	}
	mask(false);
	for (int i = 1; i < processes; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			work_in_process(i);
			_exit(0);
		}
	}
	serve_questions();
	work_in_process(0);
	for (int i = 1; i < processes; i++) {
		int status;
		pid_t got;
		while ((got = waitpid(children[i], &status, 0)) < 0 && errno == EINTR)
			;
		if (got != children[i] || status != 0)
			return WRONG;
	}
	report();
	return board->failed ? WRONG : 0;
}
