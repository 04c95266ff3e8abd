/*
 * What the pause tool is tested on without the toolchain: a static program whose call sites are all its calls (found by disassembly)
 * and whose loop points are marked by hand. Functions named foreign_* have no sites. The first argument chooses what it does.
 */
#include <stdint.h>

typedef long (*thread_function)(void *);
long __transproc_syscall(long n, long a, long b, long c, long d, long e, long f);
long target_clone(long flags, void *stack, thread_function function, void *argument);
void target_restore(void);

#define NOINLINE __attribute__((noinline))
#define POINT() __asm__ volatile("9: nop\n.pushsection .target.points,\"\",%progbits\n.quad 9b\n.popsection")
#define CALL(n, a, b, c, d) __transproc_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

enum { NR_epoll_create1 = 20, NR_epoll_pwait = 22, NR_pipe2 = 59, NR_read = 63, NR_write = 64, NR_ppoll = 73, NR_exit_group = 94,
	NR_futex = 98, NR_setitimer = 103, NR_clock_nanosleep = 115, NR_kill = 129, NR_rt_sigaction = 134, NR_getpid = 172, NR_clone = 220,
	NR_wait4 = 260, NR_gettid = 178 };
enum { THREAD_FLAGS = 0x50f00 /* VM FS FILES SIGHAND THREAD SYSVSEM */, SIGCHLD = 17, SIGALRM = 14, SIGUSR1 = 10, SA_RESTART = 0x10000000 };

NOINLINE static long say(const char *text)
{
	long size = 0;
	while (text[size])
		size++;
	return CALL(NR_write, 1, text, size, 0);
}

NOINLINE static void say_number(const char *name, long value)
{
	char digits[24], *at = digits + sizeof digits;
	*--at = 0;
	*--at = '\n';
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	say(name);
	say(at);
}

static volatile int stop;

/* A checksum over `rounds` rounds with a point in each; the result tells whether every instruction was executed exactly once. */
NOINLINE static long churn(long rounds)
{
	long sum = 1;
	for (long i = 0; i < rounds && !stop; i++) {
		POINT();
		sum = sum * 31 + i;
	}
	return sum & 0x7fffffff;
}

NOINLINE static long fibonacci(long n)
{
	POINT();
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

NOINLINE static long foreign_spin(void)
{
	volatile long i = 0;
	while (!stop)
		i++;
	return i;
}

static volatile long spinning;
NOINLINE static long spinner(void *unused)
{
	(void)unused;
	while (!stop) {
		POINT();
		spinning++;
	}
	return 0;
}

static int pipe_ends[2];
static volatile long bytes;
/* Reads a pipe that is fed with consecutive bytes: a read that is lost or done twice shows. */
NOINLINE static long reader(void *unused)
{
	unsigned char byte = 0;
	(void)unused;
	while (CALL(NR_read, pipe_ends[0], &byte, 1, 0) == 1) {
		if (byte != (unsigned char)bytes)
			say("order\n");
		bytes++;
	}
	stop = 1;
	return 0;
}

static int word;
NOINLINE static long waiter(void *unused)
{
	(void)unused;
	while (!stop)
		if (CALL(NR_futex, &word, 0 /* FUTEX_WAIT */, 0, 0) < -11)
			say("futex\n");
	return 0;
}

static char stacks[16][16384] __attribute__((aligned(16)));
static int started;
NOINLINE static void start_thread(thread_function function)
{
	target_clone(THREAD_FLAGS, stacks[++started], function, 0);
}

NOINLINE static long sleep_ms(long ms)
{
	long time[2] = { ms / 1000, ms % 1000 * 1000000 };
	return CALL(NR_clock_nanosleep, 1, 0, time, 0);
}

static volatile long signals;
NOINLINE static void on_signal(int signal)
{
	(void)signal;
	signals++;
	for (int i = 0; i < 1000; i++)
		POINT();
}

static void handle(int signal, unsigned long restart)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} action = { on_signal, 0x04000000 /* SA_RESTORER */ | restart, target_restore, 0 };
	CALL(NR_rt_sigaction, signal, &action, 0, 8);
}

static void timer(long every)
{
	long spec[4] = { 0, every, 0, every };
	handle(SIGALRM, SA_RESTART);
	CALL(NR_setitimer, 0, spec, 0, 0);
}

static int is(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static long do_threads(void)
{
	CALL(NR_pipe2, pipe_ends, 0, 0, 0);
	start_thread(spinner);
	start_thread(reader);
	start_thread(waiter);
	start_thread(spinner);
	for (long i = 0; i < 400; i++) {
		unsigned char byte = (unsigned char)i;
		CALL(NR_write, pipe_ends[1], &byte, 1, 0);
		sleep_ms(2);
	}
	while (bytes < 400)
		sleep_ms(1);
	say_number("bytes ", bytes);
	return 0;
}

/* Generations of children, each computing; the parents wait. */
static long do_forks(void)
{
	long total = 0;
	for (int i = 0; i < 30; i++) {
		long child = CALL(NR_clone, SIGCHLD, 0, 0, 0);
		int status = 0;
		if (child == 0)
			CALL(NR_exit_group, churn(3000000) & 63, 0, 0, 0);
		long waited = CALL(NR_wait4, child, &status, 0, 0);
		if (waited != child)
			say_number("wait ", waited);
		if (status != 33 << 8)
			say_number("status ", status);
		total += status >> 8;
	}
	say_number("total ", total);
	return 0;
}

NOINLINE static long borrower(void *unused)
{
	(void)unused;
	return churn(20000000) & 63;
}

/* Children that end as soon as they have begun. */
static long do_mayflies(void)
{
	long total = 0;
	for (int i = 0; i < 20000; i++) {
		long child = CALL(NR_clone, SIGCHLD, 0, 0, 0);
		int status = 0;
		if (child == 0)
			CALL(NR_exit_group, 1, 0, 0, 0);
		if (CALL(NR_wait4, child, &status, 0, 0) != child)
			say("wait\n");
		total += status >> 8;
	}
	say_number("total ", total);
	return 0;
}

/* Children that run in our memory while we are asleep in the kernel, in a frame that nobody describes. */
static long do_vforks(void)
{
	long total = 0;
	for (int i = 0; i < 12; i++) {
		int status = 0;
		long child = target_clone(0x4100 | SIGCHLD /* CLONE_VM, CLONE_VFORK */, stacks[1], borrower, 0);
		if (CALL(NR_wait4, child, &status, 0, 0) != child)
			say("wait\n");
		total += status >> 8;
		sleep_ms(3);
	}
	say_number("total ", total);
	return 0;
}

/* Short-lived threads. */
static long do_spawns(void)
{
	for (int i = 0; i < 3000; i++) {
		started = i % 8;
		stop = 0;
		start_thread(waiter);
		stop = 1;
		CALL(NR_futex, &word, 1 /* FUTEX_WAKE */, 100, 0);
		sleep_ms(1);
	}
	say("spawned\n");
	return 0;
}

static long do_signals(void)
{
	timer(300);
	long sum = 0;
	for (int i = 0; i < 600; i++) {
		sum += churn(2000000);
		if (sleep_ms(1) < -4)
			say("sleep\n");
	}
	say_number("sum ", sum);
	say(signals > 10 ? "signals\n" : "few signals\n");
	return 0;
}

/* Waits that a stop must not disturb: any result but the expected one is said. */
static long do_waits(const char *what)
{
	long pipe[2] = { 0 }, never[2] = { 1000, 0 }, result;
	int *ends = (int *)pipe;
	CALL(NR_pipe2, ends, 0, 0, 0);
	handle(SIGUSR1, 0);
	struct { int fd; short events, seen; } entry = { ends[0], 1, 0 };
	char events[16];
	if (is(what, "epoll"))
		result = CALL(NR_epoll_pwait, CALL(NR_epoll_create1, 0, 0, 0, 0), events, 1, -1);
	else if (is(what, "poll"))
		result = CALL(NR_ppoll, &entry, 1, never, 0);
	else if (is(what, "sleep"))
		result = sleep_ms(700);
	else if (is(what, "futex"))
		result = CALL(NR_futex, &word, 0, 0, 0);
	else if (is(what, "timed-futex"))
		result = CALL(NR_futex, &word, 0, 0, never);
	else
		result = CALL(NR_read, ends[0], events, 1, 0);
	say_number(result < 0 ? "error " : "result ", result < 0 ? -result : result);
	return 0;
}

static long do_stuck(void)
{
	say("stuck\n");
	return foreign_spin();
}

__attribute__((used)) int target_main(long *stack)
{
	const char *mode = stack[0] > 1 ? (const char *)stack[2] : "churn";
	if (is(mode, "churn"))
		say_number("sum ", churn(300000000));
	else if (is(mode, "short"))
		say_number("sum ", churn(20000));
	else if (is(mode, "fibonacci"))
		say_number("fibonacci ", fibonacci(37));
	else if (is(mode, "threads"))
		do_threads();
	else if (is(mode, "forks"))
		do_forks();
	else if (is(mode, "mayflies"))
		do_mayflies();
	else if (is(mode, "vforks"))
		do_vforks();
	else if (is(mode, "spawns"))
		do_spawns();
	else if (is(mode, "signals"))
		do_signals();
	else if (is(mode, "stuck"))
		do_stuck();
	else
		do_waits(mode);
	CALL(NR_exit_group, 7, 0, 0, 0);
	return 0;
}
