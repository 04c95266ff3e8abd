/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Starts the program, and a thread of our own that plants breakpoints at all equivalence points from time to time. */
#include "self.h"

enum { MAP_SHARED = 1, PROT_RW = 3, CLONE_THREAD_FLAGS = 0x50f00 /* VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */ };
enum { SHIFT = 4 /* our own arguments */, THREAD_STACK = 1 << 16 };
enum { ADDR_COMPAT_LAYOUT = 0x200000, MAX_BURST = 8, ABANDONED = 1000 /* ms */ };

__asm__(".text\n" START_CODE RESTORER START_THREAD);
long start_thread(long flags, void *stack, void (*function)(void));
void restore_context(void);

struct index *program_index;
struct report *report;
static uint8_t (*saved_code)[sizeof breakpoint];
static int lock;
static volatile int armed; /* migrations to come before the breakpoints are taken away */
static volatile int still; /* threads that wait until a child of theirs has another stack */
static long home;
static uint64_t chance, interval, seconds;
static uint64_t *saved_labels;

/* A process that was forked while another thread held the lock has a copy that nobody releases: it takes it after a while. */
static void acquire(void)
{
	static const struct timespec moment = { 0, 20000 };
	for (long begin = now(); __atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE);) {
		SYS(NR_nanosleep, &moment, 0);
		if (now() > begin + ABANDONED && SYS(NR_getpid) != home)
			return;
	}
}
static void release(void) { __atomic_store_n(&lock, 0, __ATOMIC_RELEASE); }

static uint64_t next_random(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	return chance ^= chance << 17;
}

/* Every word is read by running threads. */
static void set_labels(bool on)
{
	volatile uint64_t *label = (uint64_t *)program_index->labels, *point = (uint64_t *)program_index->points;
	for (size_t i = 0, count = point - label; i < count; i++) {
		label[i] = saved_labels[on ? count + i : i];
		point[i] = saved_labels[on ? i : count + i];
	}
}

/* What a process that was forked in the middle has half is made whole by the next call. */
static void plant(bool on)
{
	const struct site *site = program_index->sites;
	for (uint32_t i = 0; i < program_index->site_count; i++) {
		if (site[i].flags & SITE_NO_STOP)
			continue;
		const uint8_t *code = on ? breakpoint : saved_code[i];
		if (sizeof breakpoint == 1)
			*(volatile uint8_t *)site[i].pc = *code;
		else
			*(volatile uint32_t *)site[i].pc = *(const uint32_t *)(const void *)code;
		code_changed(site[i].pc);
	}
	*(volatile uint32_t *)program_index->poll = on;
	set_labels(on);
}

/* The program's own trap: its instruction is repeated, or it is sent again. */
static void end_as_without_us(int signal, const uint32_t *info, struct context *context)
{
	static const uint64_t standard[4];
	SYS(NR_rt_sigaction, signal, standard, 0, 8);
	if ((int)info[2] <= 0)
		SYS(NR_tgkill, SYS(NR_getpid), SYS(NR_gettid), signal);
	else
		set_context_pc(context, context_pc(context) - BREAKPOINT_REWIND);
}

static void on_trap(int signal, const uint32_t *info, struct context *context)
{
	uint64_t pc = context_pc(context) - BREAKPOINT_REWIND;
	const struct site *site = site_at(program_index, pc);
	if (!site || (info[2] != BREAKPOINT_CODE && info[2] != 1)) {
		if (!give_to_program(signal, info, context))
			end_as_without_us(signal, info, context);
		return;
	}
	acquire();
	set_context_pc(context, pc);
	if (armed) {
		bool moved = SYS(NR_getpid) == home && move_thread(context, site);
		int left = moved ? armed - 1 : 0; /* one that was not moved must get past the breakpoint */
		if (!left)
			plant(false);
		armed = left; /* not before: who is forked meanwhile must know that some are left */
	}
	release();
}

static void sleep_for(uint64_t microseconds)
{
	struct timespec time = { (long)(microseconds / 1000000), (long)(microseconds % 1000000 * 1000) };
	SYS(NR_nanosleep, &time, 0);
}

void hold_still(void)
{
	acquire();
	if (armed)
		plant(false);
	armed = 0;
	still++;
	release();
}

void go_on(void)
{
	acquire();
	still--;
	release();
}

/* The thread that arms: a random time, then one migration, or a few right after one another. */
static void arm_repeatedly(void)
{
	long end = now() + (long)seconds * 1000;
	while (now() < end) {
		sleep_for(1 + next_random() % (2 * interval));
		acquire();
		if (!armed && !still) {
			armed = next_random() % 4 ? 1 : 1 + (int)(next_random() % MAX_BURST);
			plant(true);
		}
		release();
	}
	hold_still();
	go_on();
	for (;;) /* its end might be taken for a thread of the program */
		sleep_for(1000000000);
}

static void start_arming(void)
{
	uint64_t all = ~0ul, before = 0;
	char *stack = allocate(THREAD_STACK);
	SYS(NR_rt_sigprocmask, 0, &all, &before, 8);
	long tid = start_thread(CLONE_THREAD_FLAGS, stack + THREAD_STACK - 64, arm_repeatedly);
	before &= ~(1ul << (SIGTRAP - 1));
	acquire();
	armed = MAX_BURST; /* at once, for programs that end soon */
	plant(true);
	release();
	SYS(NR_rt_sigprocmask, 2, &before, 0, 8);
	if (tid < 0)
		give_up("no thread can be started");
}

void catch_traps(uint64_t flags)
{
	const struct {
		void (*handler)(int, const uint32_t *, struct context *);
		uint64_t flags;
		void (*restorer)(void);
		uint64_t mask;
	} action = { on_trap, SA_SIGINFO | SA_RESTORER | SA_NODEFER | flags, restore_context, ~0ul };
	SYS(NR_rt_sigaction, SIGTRAP, &action, 0, 8);
}

static void save_code(void)
{
	saved_code = allocate((size_t)program_index->site_count * sizeof *saved_code + 1);
	size_t labels = 2 * (program_index->points - program_index->labels);
	saved_labels = allocate(labels + 1);
	memcpy(saved_labels, (const void *)program_index->labels, labels);
	for (uint32_t i = 0; i < program_index->site_count; i++)
		memcpy(saved_code[i], (const void *)program_index->sites[i].pc, sizeof breakpoint);
}

static uint64_t number(char **text)
{
	uint64_t value = 0;
	while (**text >= '0' && **text <= '9')
		value = value * 10 + (uint64_t)(*(*text)++ - '0');
	*text += **text == ',';
	return value;
}

/* argv: ourselves, "seed,interval in microseconds,seconds", the program, the report, the program's own argv. */
__attribute__((used)) _Noreturn void start(long *stack)
{
	char **argv = (char **)(stack + 1), *settings = argv[1];
	const char *why;
	if (stack[0] <= SHIFT)
		leave(2);
	int file = open_file(argv[3], O_RDWR);
	long mapped = SYS(NR_mmap, 0, sizeof *report, PROT_RW, MAP_SHARED, file, 0);
	if (file < 0 || (mapped < 0 && mapped > -4096))
		leave(2);
	SYS(NR_close, file);
	report = (struct report *)mapped;
	memcpy(report->magic, "TPSELF01", sizeof report->magic);
	chance = 88172645463325252ul ^ number(&settings) * 0x9e3779b97f4a7c15ul;
	interval = number(&settings);
	seconds = number(&settings);
	int fd = open_file(argv[2], O_RDONLY);
	program_index = fd < 0 ? NULL : index_of_file(fd, &why);
	if (!program_index)
		give_up(fd < 0 ? "the program cannot be opened" : why);
	long *own = stack + SHIFT;
	own[0] = stack[0] - SHIFT;
	uint64_t entry = load_program(fd, argv[2], own);
	SYS(NR_close, fd);
	home = SYS(NR_getpid);
	if (LAYOUT_PERSONALITY > 0) /* else the program starts itself again to get it: prepare.c */
		SYS(NR_personality, SYS(NR_personality, 0xffffffff) | ADDR_COMPAT_LAYOUT);
	save_code();
	catch_traps(0);
	start_arming();
	enter_program(entry, own);
}
