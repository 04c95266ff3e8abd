/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Holds memory that comes ahead of its process (held.h). A lost connection may be followed by another one (rejoin.h), whose other end is told the hashes of what
 * has come, and sends what is different. In the last round that is over: when the stream ends then, what is left is with who borrows.
 */
#include "commands.h"
#include "held.h"
#include "rejoin.h"
#include "sockets.h"

enum { MFD_CLOEXEC = 1, ENDED = 0, BROKEN = 1, SEEK_DATA = 3, SIGPIPE = 13, SIG_IGNORED = 1, PR_SET_PDEATHSIG = 1 };
enum { PROT_READ_WRITE = 3, MAP_SHARED = 1 };

const char hold_name[] = "../hold.socket";
static const char name_here[] = "hold.socket";

static int store;
static int hashes; /* a file with that of each page that has come */
static struct held_head *head;
static char data[MOST_PIECE] __attribute__((aligned(PAGE)));

static const char *why = "what has come is not what can be understood";

static bool reject(const char *reason)
{
	why = reason;
	return false;
}

/* The number of a process; -1 if there is no room for another one. */
static long number_of(uint32_t pid)
{
	for (size_t i = 0; i < head->processes; i++)
		if (head->pids[i] == pid)
			return (long)i;
	if (head->processes == MOST_HELD)
		return -1;
	head->pids[head->processes] = pid;
	return (long)head->processes++;
}

static bool mark(size_t process, uint64_t start, uint64_t end, char mark)
{
	static char marks[PIECE_PAGES];
	size_t size = (end - start) / PAGE;
	memset(marks, mark, size);
	return SYS(NR_pwrite64, store, marks, size, held_mark(process, start)) == (long)size;
}

static long hash_place(size_t process, uint64_t address)
{
	return (long)(held_page(process, 0) | address / PAGE * sizeof(struct hash));
}

/* Of what has come, when it comes: in the pause that need not be read again. */
static bool note_hashes(size_t process, uint64_t start, uint64_t end, bool zeros)
{
	static struct hash noted[PIECE_PAGES];
	static const char zero[PAGE] __attribute__((aligned(PAGE)));
	size_t count = (end - start) / PAGE, bytes = count * sizeof *noted;
	for (size_t i = 0; i < count; i++)
		noted[i] = hash_page(zeros ? zero : data + i * PAGE);
	return SYS(NR_pwrite64, hashes, noted, bytes, hash_place(process, start)) == (long)bytes;
}

/* Of pages that lie near each other, what is known of them is read at once, and their marks are written at once. */
static struct {
	size_t process;
	uint64_t start /* a multiple of its size */, until /* so far it has been told */;
	bool is_open;
	struct hash hashes[SAME_PAGES];
	char marks[SAME_PAGES];
} window;

/* Only now is it known, for who borrows, of all pages below. */
static bool close_window(void)
{
	bool was_open = window.is_open;
	window.is_open = false;
	if (was_open && SYS(NR_pwrite64, store, window.marks, sizeof window.marks, held_mark(window.process, window.start)) != sizeof window.marks)
		return reject("there is no room for its marks");
	if (was_open)
		__atomic_store_n(&head->until[window.process], window.until, __ATOMIC_SEQ_CST);
	return true;
}

static bool open_window(size_t process, uint64_t start)
{
	if (window.is_open && window.process == process && window.start == start)
		return true;
	if (!close_window())
		return false;
	memset(&window, 0, sizeof window);
	window.process = process;
	window.start = start;
	window.is_open = SYS(NR_pread64, hashes, window.hashes, sizeof window.hashes, hash_place(process, start)) >= 0 &&
	                 SYS(NR_pread64, store, window.marks, sizeof window.marks, held_mark(process, start)) >= 0;
	return window.is_open;
}

/* Marks pages as true if those that are held are the ones that were meant. */
static bool take_same(size_t process, uint64_t start, uint64_t end, uint64_t expected)
{
	uint64_t check = 0, first = (start % MOST_SAME) / PAGE, count = (end - start) / PAGE;
	if (!open_window(process, start & -(uint64_t)MOST_SAME) || first + count > SAME_PAGES)
		return false;
	for (size_t i = 0; i < count; i++)
		check = check_hashes(check, &window.hashes[first + i]);
	if (check != expected)
		return reject("it is not what it should be");
	memset(window.marks + first, MARK_TRUE, count);
	window.until = end;
	return true;
}

static bool cover(size_t process, uint64_t start, uint64_t end)
{
	if (head->covers_count == MOST_COVERS)
		return false;
	head->covers[head->covers_count] = (struct cover){ process, start, end };
	__atomic_store_n(&head->covers_count, head->covers_count + 1, __ATOMIC_SEQ_CST);
	return true;
}

/* The last round has begun with the first word of what it covers. */
static bool take_pages(const struct page_answer *answer, size_t process)
{
	uint64_t start = answer->start, end = answer->end;
	long place = (long)held_page(process, start);
	if (end - start > (answer->kind == SAME ? MOST_SAME : MOST_PIECE))
		return false;
	if (answer->kind == SAME)
		return take_same(process, start, end, answer->check);
	if (!close_window())
		return false;
	if (answer->kind == PAGES && SYS(NR_pwrite64, store, data, answer->size, place) != (long)answer->size)
		return reject("there is no room for it");
	if (answer->kind == ZEROS)
		SYS(NR_fallocate, store, PUNCH_HOLE, place, end - start);
	if (!note_hashes(process, start, end, answer->kind == ZEROS))
		return reject("there is no room for its hashes");
	return mark(process, start, end, head->covers_count ? MARK_TRUE : MARK_SENT);
}

static uint64_t come; /* over this connection */

/* To the host, which may not see what passes. */
static void tell_come(size_t size, bool at_once)
{
	enum { PAUSE = 200 /* ms */ };
	static long told;
	come += size;
	if (!at_once && now() - told < PAUSE)
		return;
	struct page_request word = { TELL_LEFT, 0, 0, come };
	told = now();
	(void)send_bytes(&word, sizeof word);
}

static bool take_round(const struct page_answer *answer)
{
	struct page_request word = { TELL_ROUND, answer->pid, answer->start, answer->end };
	if (answer->check) {
		for (size_t i = 0; i < MOST_HELD; i++)
			head->until[i] = HELD_END;
		__atomic_store_n(&head->complete, 1, __ATOMIC_SEQ_CST);
	}
	return send_bytes(&word, sizeof word);
}

static bool take(const struct page_answer *answer)
{
	if (answer->size != (answer->kind == PAGES ? answer->end - answer->start : 0) || answer->size > MOST_PIECE || !receive_bytes(data, answer->size))
		return false;
	tell_come(sizeof *answer + answer->size, answer->kind == ROUND);
	if (answer->kind == ROUND)
		return close_window() && take_round(answer);
	if (answer->start >= answer->end || answer->end > HELD_END || (answer->start | answer->end) % PAGE)
		return false;
	if (answer->kind == PAGES && checksum(data, answer->size) != answer->check)
		return reject("it was changed on its way");
	long process = number_of(answer->pid);
	if (process < 0)
		return false;
	if (answer->kind == COVER)
		return cover((size_t)process, answer->start, answer->end);
	return (answer->kind == PAGES || answer->kind == ZEROS || answer->kind == SAME) && take_pages(answer, (size_t)process);
}

/* Whoever borrows has a copy, and hears of our end when the socket is closed. */
static void hand_out(int listener)
{
	int socket = (int)SYS(NR_accept4, listener, 0, 0, O_CLOEXEC);
	if (socket >= 0)
		(void)send_descriptors(socket, &store, 1);
}

/* --- what another connection goes on from -------------------------------------------------------------------------- */

static bool tell_hashes(size_t process, uint64_t start, const struct hash *known, size_t count)
{
	struct page_request word = { TELL_HELD, head->pids[process], start, start + count * PAGE };
	return send_bytes(&word, sizeof word) && send_bytes(known, count * sizeof *known);
}

/* Of the pages that have come to a window. */
static bool tell_window(size_t process, uint64_t start)
{
	static struct hash known[SAME_PAGES];
	static char marks[SAME_PAGES];
	if (SYS(NR_pread64, hashes, known, sizeof known, hash_place(process, start)) < 0 || SYS(NR_pread64, store, marks, sizeof marks, held_mark(process, start)) < 0)
		return true; /* they come again */
	for (size_t i = 0, next; i < SAME_PAGES; i = next) {
		for (next = i; next < SAME_PAGES && marks[next] != MARK_NONE; next++)
			;
		if (next > i && !tell_hashes(process, start + i * PAGE, known + i, next - i))
			return false;
		next += next == i;
	}
	return true;
}

/* To who sends: all that has come, and that it may begin. Where marks are a hole, nothing has. False if nobody listens any more. */
static bool tell_held(void)
{
	const struct page_request ready = { TELL_READY, 0, 0, 0 };
	for (size_t process = 0; process < head->processes; process++)
		for (uint64_t at = 0; at < HELD_END; at += MOST_SAME) {
			long found = SYS(NR_lseek, store, held_mark(process, at), SEEK_DATA);
			if (found < 0 || (uint64_t)found >= held_mark(process, HELD_END))
				break;
			at = ((uint64_t)found - held_mark(process, 0)) * PAGE & -(uint64_t)MOST_SAME;
			if (!tell_window(process, at))
				return false;
		}
	return send_bytes(&ready, sizeof ready);
}

/* Not when somebody borrows: who waits for pages here would get them sooner over the link. */
static bool may_regain(int listener)
{
	if (head->covers_count || head->complete || !regain_streams(listener, name_here))
		return false;
	come = 0;
	return true;
}

static int hold(int listener)
{
	for (bool told = false;;) {
		struct page_answer answer;
		if (are_streams_lost()) {
			if (!may_regain(listener))
				return ENDED;
			told = false;
		}
		if (!told && !(told = tell_held()))
			continue;
		if (await_bytes(listener)) {
			hand_out(listener);
			continue;
		}
		if (!receive_bytes(&answer, sizeof answer) || take(&answer) || are_streams_lost())
			continue;
		char *message = format("transproc-stop hold: memory at %x: %s\n", answer.start, why);
		(void)write_all(2, message, strlen(message));
		return end_streams(BROKEN);
	}
}

/* A connection that is lost may not end us: neither its streams nor who has started us. */
static void outlive_connection(void)
{
	uint64_t ignore[4] = { SIG_IGNORED };
	SYS(NR_rt_sigaction, SIGPIPE, ignore, 0, sizeof(uint64_t));
	SYS(NR_prctl, PR_SET_PDEATHSIG, 0);
}

int command_hold(const struct options *options)
{
	if (!options->launch.directory || SYS(NR_chdir, options->launch.directory) < 0)
		return report_failure("usage", "--dir is missing, or cannot be entered");
	int status = give_streams();
	if (status >= 0)
		return status;
	outlive_connection();
	store = (int)SYS(NR_memfd_create, "held", MFD_CLOEXEC);
	hashes = (int)SYS(NR_memfd_create, "hashes", MFD_CLOEXEC);
	int listener = listen_at(name_here);
	if (store < 0 || hashes < 0 || listener < 0 || !expect_streams() || SYS(NR_ftruncate, store, HELD_HEAD + sizeof *head) < 0)
		return report_failure("system", "no file can be made in memory, or no socket");
	long mapped = SYS(NR_mmap, 0, sizeof *head, PROT_READ_WRITE, MAP_SHARED, store, HELD_HEAD);
	if (mapped < 0 && mapped > -4096)
		return report_failure("system", "memory cannot be mapped");
	head = (struct held_head *)mapped;
	return hold(listener);
}
