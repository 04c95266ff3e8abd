/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What threads wait for, and what waits for them: signals that are pending, answers of another process, children; and stacks that grow. */
#include "shake.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { MOST_QUEUED = 16, CHILDREN = 3, TICK = 20000 /* us */, DEEPEST = 60, GUARDS = 4, PATIENCE = 120 /* s */ };

struct waits {
	int values[MOST_QUEUED];
	size_t queued;
	bool pending; /* SIGUSR1, to this thread */
	pid_t children[CHILDREN];
	char *guard;
};

volatile int ticks;
static _Thread_local sigjmp_buf trap;

/* --- signals ------------------------------------------------------------------------------------------------------- */

static int signal_of(struct worker *worker)
{
	return SIGRTMIN + 2 + worker->thread;
}

/* To the process; each worker has a number of its own, which nobody else takes. */
static void queue(struct worker *worker)
{
	struct waits *waits = worker->waits;
	int value = (int)(next(worker) >> 40);
	if (worker->child || waits->queued == MOST_QUEUED)
		return;
	MUST(worker, sigqueue(getpid(), signal_of(worker), (union sigval){ .sival_int = value }) == 0);
	waits->values[waits->queued++] = value;
}

static void take_signal(struct worker *worker)
{
	struct waits *waits = worker->waits;
	struct timespec none = { 0 };
	siginfo_t info;
	sigset_t set;
	if (worker->child)
		return;
	sigemptyset(&set);
	sigaddset(&set, signal_of(worker));
	int got;
	while ((got = sigtimedwait(&set, &info, &none)) < 0 && errno == EINTR)
		;
	if (!waits->queued) {
		MUST(worker, got < 0 && errno == EAGAIN);
		return;
	}
	MUST(worker, got == signal_of(worker) && info.si_value.sival_int == waits->values[0] && info.si_code == SI_QUEUE && info.si_pid == getpid());
	memmove(waits->values, waits->values + 1, --waits->queued * sizeof *waits->values);
}

static void raise_one(struct worker *worker)
{
	sigset_t set;
	if (worker->child)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (!worker->waits->pending) {
		MUST(worker, raise(SIGUSR1) == 0);
		worker->waits->pending = true;
		return;
	}
	int got;
	MUST(worker, sigwait(&set, &got) == 0 && got == SIGUSR1);
	worker->waits->pending = false;
}

static void check_signals(struct worker *worker)
{
	sigset_t set;
	if (worker->child)
		return;
	MUST(worker, sigpending(&set) == 0);
	MUST(worker, sigismember(&set, SIGUSR1) == worker->waits->pending);
	MUST(worker, sigismember(&set, signal_of(worker)) == (worker->waits->queued > 0));
	found(worker, worker->waits->queued);
}

static void tick(int number)
{
	(void)number;
	ticks++;
}

void start_ticking(void)
{
	struct itimerval often = { { 0, TICK }, { 0, TICK } };
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void await_tick(struct worker *worker)
{
	int before = ticks;
	for (int i = 0; ticks == before && !worker->child; i++) {
		MUST(worker, i < PATIENCE * 1000);
		usleep(1000);
	}
}

/* --- other processes ----------------------------------------------------------------------------------------------- */

static void await(struct worker *worker, sem_t *what)
{
	while (sem_wait(what) != 0)
		MUST(worker, errno == EINTR);
}

static uint64_t answer_to(uint64_t question)
{
	return (question ^ question >> 29) * 0xbf58476d1ce4e5b9u;
}

/* A thread of the first process for each worker waits in futex(2) most of the time. */
static void *serve(void *argument)
{
	struct result *result = argument;
	for (;;) {
		while (sem_wait(&result->asked) != 0)
			;
		if (result->done)
			return NULL;
		result->answer = answer_to(result->question);
		sem_post(&result->answered);
	}
}

void serve_questions(void)
{
	for (int i = 0; i < processes * threads; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, serve, &board->results[i]) != 0 || pthread_detach(thread) != 0)
			exit(1);
	}
}

static void ask(struct worker *worker)
{
	struct result *result = worker->result;
	if (worker->child)
		return;
	result->question = next(worker);
	sem_post(&result->asked);
	await(worker, &result->answered);
	MUST(worker, result->answer == answer_to(result->question));
}

/* It has a copy of all memory, and goes on by itself with that. */
static _Noreturn void live(struct worker *worker, size_t steps)
{
	worker->child = true;
	worker->random ^= 0x5851f42d4c957f2du;
	forget_objects(worker);
	for (; steps && !board->stop; steps--)
		step(worker);
	check_memory(worker);
	_exit(0);
}

static void reap(struct worker *worker, size_t which)
{
	int status = 0;
	pid_t got;
	while ((got = waitpid(worker->waits->children[which], &status, 0)) < 0 && errno == EINTR)
		;
	if (got != worker->waits->children[which] || status != 0)
		wrong(worker, "status of a child", (uint64_t)status, (uint64_t)got);
	worker->waits->children[which] = 0;
}

static void forked(struct worker *worker)
{
	size_t which = below(worker, CHILDREN), steps = below(worker, 100);
	if (worker->child)
		return;
	if (worker->waits->children[which]) {
		reap(worker, which);
		return;
	}
	pid_t child = fork();
	MUST(worker, child >= 0);
	if (child == 0)
		live(worker, steps);
	worker->waits->children[which] = child;
}

/* --- stacks -------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) uint64_t descend(struct worker *worker, size_t depth, uint64_t seed)
{
	volatile uint64_t here[128];
	for (size_t i = 0; i < 128; i++)
		here[i] = seed * (i + 1);
	uint64_t below_us = depth ? descend(worker, depth - 1, seed + 1) : (usleep(500), 0);
	for (size_t i = 0; i < 128; i++)
		if (here[i] != seed * (i + 1))
			wrong(worker, "word of a stack", here[i], seed * (i + 1));
	return below_us + seed;
}

static void grow_stack(struct worker *worker)
{
	size_t depth = below(worker, DEEPEST);
	found(worker, descend(worker, depth, next(worker)));
}

static void caught(int number)
{
	siglongjmp(trap, number);
}

/* Memory that nobody may touch tells so. */
static void touch_guard(struct worker *worker)
{
	volatile char *place = worker->waits->guard + below(worker, GUARDS) * 2 * PAGE;
	struct sigaction action = { .sa_handler = caught };
	sigaction(SIGSEGV, &action, NULL);
	int number = sigsetjmp(trap, 1);
	if (number == 0) {
		*place = 1;
		wrong(worker, "a guard page can be written", (uint64_t)place, 0);
	}
	MUST(worker, number == SIGSEGV && place[PAGE] == 7);
}

void check_waits(struct worker *worker)
{
	check_signals(worker);
	for (size_t i = 0; i < CHILDREN; i++)
		if (worker->waits->children[i])
			reap(worker, i);
}

void prepare_waits(struct worker *worker)
{
	worker->waits = mmap(NULL, sizeof *worker->waits, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(worker, worker->waits != MAP_FAILED);
	char *guard = mmap(NULL, GUARDS * 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(worker, guard != MAP_FAILED);
	for (size_t i = 0; i < GUARDS; i++) {
		guard[(2 * i + 1) * PAGE] = 7;
		MUST(worker, mprotect(guard + 2 * i * PAGE, PAGE, i % 2 ? PROT_READ : PROT_NONE) == 0);
	}
	worker->waits->guard = guard;
}

const struct deed wait_deeds[] = {
	{ "queue", 3, queue }, { "signal", 3, take_signal }, { "raise", 2, raise_one }, { "pending", 2, check_signals }, { "tick", 1, await_tick }, { "ask", 4, ask },
	{ "stack", 3, grow_stack }, { "guard", 2, touch_guard }, { 0 },
};
const struct deed process_deeds[] = { { "fork", 1, forked }, { 0 } };
