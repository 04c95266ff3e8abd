/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See borrow.h: the two processes, and what they hear from criu. */
#include "borrow.h"
#include "commands.h"
#include "held.h"
#include "left.h"
#include "poll.h"
#include "secure.h"
#include "sockets.h"
#include "wire.h"

enum { CLONE_FILES = 0x400, PROT_READ_WRITE = 3, MAP_SHARED_ANONYMOUS_NORESERVE = 0x4021, ROOM = 1 << 30, RESTART_PAUSE = 5, LOOK_PAUSE = 1000 /* ms */, HELD_PAUSE = 2 };
enum { CRIU_FINISHED = 0x52535446 /* LAZY_PAGES_RESTORE_FINISHED, criu/uffd.c */, RESIGN = 1 };

const char criu_name[] = "lazy-pages.socket";
struct shared *shared;

void *allocate_shared(size_t size)
{
	size = (size + 63) & ~(size_t)63;
	if (shared->used + size > shared->size)
		leave(LOST_FOR_GOOD); /* the other process will meet the same: the program waits, and its pages are where they were */
	shared->used += size;
	return (char *)shared + shared->used - size;
}

static bool make_shared(void)
{
	long got = SYS(NR_mmap, 0, ROOM, PROT_READ_WRITE, MAP_SHARED_ANONYMOUS_NORESERVE, -1, 0);
	if (got < 0 && got > -4096)
		return false;
	shared = (struct shared *)got;
	*shared = (struct shared){ .used = (sizeof *shared + 63) & ~63ul, .size = ROOM, .coming = NOBODY, .criu = -1, .link = { -1, -1, -1 } };
	return true;
}

/* --- what is owed -------------------------------------------------------------------------------------------------- */

static struct borrower *space_of(uint32_t pid)
{
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].pid == pid)
			return &shared->spaces[i];
	if (shared->count == MOST_SPACES)
		return NULL;
	struct borrower *space = &shared->spaces[shared->count];
	*space = (struct borrower){ .pid = pid, .faults = -1, .process = -1, .owed = make_list(0) };
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	shared->count++;
	return space;
}

/* Lines "PID START END", in order. */
static bool parse_owed(char *text)
{
	uint64_t values[3];
	while (*text) {
		for (int i = 0; i < 3; i++) {
			char *word = text;
			while (*text && *text != ' ' && *text != '\n')
				text++;
			if (!*text)
				return false;
			*text++ = 0;
			if (!parse_number(word, &values[i]))
				return false;
		}
		struct borrower *space = values[0] <= INT32_MAX ? space_of((uint32_t)values[0]) : NULL;
		if (!space || values[1] >= values[2] || (values[1] | values[2]) % PAGE)
			return false;
		if (space->owed->count == space->owed->room) {
			struct owed_list *larger = make_list(2 * space->owed->room);
			memcpy(larger->items, space->owed->items, space->owed->count * sizeof *larger->items);
			larger->count = space->owed->count;
			space->owed = larger;
		}
		struct owed_list *list = space->owed;
		if (list->count && list->items[list->count - 1].end > values[1])
			return false;
		list->items[list->count++] = (struct owed){ values[1], values[2], 0 };
	}
	return true;
}

/* --- criu ---------------------------------------------------------------------------------------------------------- */

/* `again`: whoever began with it was killed, and may have got the descriptor already. */
static bool take_process(int pid, bool again)
{
	int faults = again ? find_userfault() : -1;
	struct borrower *space = space_of((uint32_t)pid);
	if (!space) {
		shared->failed = true;
		return false;
	}
	if (space->faults < 0 && faults < 0 && !receive_descriptors(shared->criu, &faults, 1))
		return false;
	if (space->faults < 0)
		space->faults = faults;
	if (space->process < 0)
		space->process = (int)SYS(NR_pidfd_open, pid, 0);
	arm_space(space);
	return true;
}

/* A process's number, and then its descriptor; or that this was the last. False if there is nobody any more. */
static bool hear_criu(void)
{
	bool again = shared->coming != NOBODY;
	if (!again && SYS(NR_recvfrom, shared->criu, &shared->coming, sizeof shared->coming, WAIT_FOR_ALL) != sizeof shared->coming)
		return false;
	if (shared->coming == CRIU_FINISHED) {
		shared->restored = shared->finished = true;
		say_secured();
	}
	else if (shared->coming >= 0 && !take_process(shared->coming, again)) /* less than 0: a zombie */
		return false;
	shared->coming = NOBODY;
	return true;
}

static void attend_criu(void)
{
	if (hear_criu())
		return;
	int fd = shared->criu;
	shared->coming = NOBODY;
	shared->restored = true; /* or never will be: then its processes are gone */
	shared->criu = -1;
	SYS(NR_close, fd);
}

/* --- the one that works -------------------------------------------------------------------------------------------- */

static bool all_gone(void)
{
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].faults >= 0 && !shared->spaces[i].gone)
			return false;
	return true;
}

enum { FIXED = 7 }; /* descriptors that are not a space's */

static size_t gather(struct poll *polls, int guardian)
{
	const int fds[] = { guardian, shared->listener, shared->link_listener, shared->criu, shared->link[0], shared->link[1], shared->holder };
	size_t count = 0;
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		polls[count++] = (struct poll){ fds[i], POLLIN, 0 };
	for (size_t i = 0; i < shared->count; i++) {
		const struct borrower *space = &shared->spaces[i];
		polls[count++] = (struct poll){ space->gone ? -1 : space->faults, POLLIN, 0 };
		polls[count++] = (struct poll){ space->gone ? -1 : space->process, POLLIN, 0 };
	}
	return count;
}

static void attend_spaces(const struct poll *polls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (polls[2 * i].found && !shared->spaces[i].gone)
			take_events(i, on_fault);
		if (polls[2 * i + 1].found)
			shared->spaces[i].gone = true;
	}
}

static void attend(const struct poll *polls, size_t spaces)
{
	if (polls[1].found && shared->criu < 0)
		shared->criu = (int)SYS(NR_accept4, shared->listener, 0, 0, O_CLOEXEC);
	if (polls[3].found)
		attend_criu();
	attend_spaces(polls + FIXED, spaces);
	if (polls[2].found)
		accept_link();
	else if (polls[4].found)
		drop_link(); /* whoever brought it is gone */
	else if (polls[5].found)
		take_answers();
	if (polls[6].found && shared->holder >= 0)
		attend_holder();
	if (!is_held_first())
		ask_ahead();
}

/* What the last one has left: an event may have been read, and a link is in the middle of an answer. */
static void take_over(int guardian)
{
	apply_event();
	drop_link();
	close_left(guardian, criu_name);
	if (shared->criu < 0 && !shared->restored)
		shared->criu = find_connection(criu_name);
	if (shared->criu >= 0 && shared->coming != NOBODY)
		attend_criu();
	say_secured(); /* the last one may not have come to that */
	if (shared->failed)
		say_lost();
	ask_again();
}

static int work(int guardian_pid)
{
	static struct poll polls[FIXED + 2 * MOST_SPACES];
	int guardian = (int)SYS(NR_pidfd_open, guardian_pid, 0);
	bool more = false;
	take_over(guardian);
	for (;;) {
		size_t spaces = shared->count, count = gather(polls, guardian);
		long pause = more ? 0 : is_held_first() && shared->restored ? HELD_PAUSE : LOOK_PAUSE;
		poll_for(polls, count, pause);
		if (guardian < 0 || polls[0].found) {
			SYS(NR_close, guardian);
			return RESIGN;
		}
		attend(polls, spaces);
		more = put_held();
		bool over = shared->restored && (all_gone() || (!shared->failed && all_delivered()));
		disarm_spaces(over);
		if (over)
			leave(say_delivered());
	}
}

/* --- the one that watches ------------------------------------------------------------------------------------------ */

static _Noreturn void watch(void)
{
	for (;;) {
		int status = 0, me = (int)SYS(NR_getpid);
		long worker = SYS(NR_clone, 17 /* SIGCHLD */ | CLONE_FILES, 0, 0, 0, 0);
		if (worker == 0) {
			work(me);
			continue; /* nobody watches any more: we do, and another one works */
		}
		if (worker > 0)
			SYS(NR_wait4, worker, &status, WALL, 0);
		if (worker > 0 && (status & 0xff7f) == DELIVERED << 8)
			leave(0);
		rest(RESTART_PAUSE);
	}
}

static void stand_alone(void)
{
	static const char never[] = "-1000";
	int fd = open_file("/dev/null", O_RDWR), score;
	for (int stream = 0; stream < 3; stream++)
		SYS(NR_dup3, fd, stream, 0);
	SYS(NR_close, fd);
	SYS(NR_setsid);
	uint64_t ignored[4] = { 1 /* SIG_IGN */ };
	static const int signals[] = { SIGHUP, SIGINT, 13 /* SIGPIPE */, SIGTERM };
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		SYS(NR_rt_sigaction, signals[i], ignored, 0, sizeof(uint64_t));
	score = open_file("/proc/self/oom_score_adj", O_WRONLY);
	(void)write_all(score, never, sizeof never - 1); /* without the right to: as any process */
	SYS(NR_close, score);
}

int command_borrow(const struct options *options)
{
	const char *directory = options->launch.directory;
	char *owed = options->owed ? read_file(options->owed) : NULL;
	if (!directory || !owed)
		return report_failure("usage", "--dir and --owed are missing, or cannot be read");
	long result = SYS(NR_chdir, directory); /* criu and the host look there; a path may be too long for a socket */
	if (result < 0 || !make_shared())
		return report_failure("system", format("%s: cannot be used: errno %d", directory, -result));
	if (!parse_owed(owed))
		return report_failure("system", format("%s: is no list of what is owed", options->owed));
	shared->eager = options->eager;
	find_held();
	if (options->held && shared->store < 0)
		return report_failure("system", "who holds the memory that went ahead is gone");
	shared->placing = shared->store >= 0;
	forget_words(); /* of an earlier restore from there */
	forget_ends();
	shared->lock = lock_directory();
	shared->listener = listen_at(criu_name);
	shared->link_listener = listen_at(link_name);
	if (shared->listener < 0 || shared->link_listener < 0)
		return report_failure("system", format("%s: no socket can be made there", directory));
	long child = spawn();
	if (child == 0) {
		stand_alone();
		make_room_for_arms();
		watch();
	}
	return child < 0 ? report_failure("system", format("no process can be made: errno %d", -child)) : report_success();
}
