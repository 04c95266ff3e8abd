/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See pack.h. */
#include "pack.h"
#include "borrow.h"
#include "commands.h"
#include "lz4.h"
#include "poll.h"

enum { LEAST = 512 /* fewer bytes are not worth it */, GAIN = 8 /* a piece that does not lose an eighth goes as it is */, MOST_SKIPPED = 64 };
enum { SLOW = 25000000 /* bytes in a second: 200 Mbit/s; busy processors pack no more, in the time that they have for us */ };
enum { FIRST_TURN = 40, TURN = 120 /* ms */, LEAST_TURNS = 8, MOST_TURNS = 64 };
enum { QUEUE = 1 << 20, F_SETPIPE_SZ = 1031, FIONREAD = 0x541b, TIOCOUTQ = 0x5411 };
enum { SOL_SOCKET = 1, SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE = 33 };
enum { FORMAT = 0170000, PIPE = 0010000, STATX_TYPE = 1, AT_EMPTY_PATH = 0x1000, PR_SET_PDEATHSIG = 1, EPIPE = 32 };
enum { PROGRAM_FAILED = 127, OF_SIGNAL = 128 };

static char plain[MOST_PIECE_SIZE + LZ4_SLACK], packed[MOST_PIECE_SIZE + LZ4_SLACK];

/* --- the program ---------------------------------------------------------------------------------------------------- */

struct worker {
	long pid; /* 0: none, and the stream is ours */
	int stream;
};

/* Its standard stream `end` (0 or 1) leads to us. */
static bool begin(struct worker *worker, const struct options *options, int end)
{
	int ends[2];
	*worker = (struct worker){ 0, end };
	if (!options->launch.argv[0])
		return true;
	if (SYS(NR_pipe2, ends, O_CLOEXEC) < 0)
		return false;
	SYS(NR_fcntl, ends[0], F_SETPIPE_SZ, QUEUE);
	worker->pid = spawn();
	if (worker->pid == 0) {
		SYS(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
		SYS(NR_dup3, ends[end], end, 0);
		execute(&options->launch);
		leave(PROGRAM_FAILED);
	}
	SYS(NR_close, ends[end]);
	worker->stream = ends[!end];
	return worker->pid > 0;
}

/* Its status, or ours: when nothing more can be passed on it is told by the end of its stream. */
static int finish(const struct worker *worker, int status)
{
	int its = 0;
	SYS(NR_close, worker->stream);
	if (!worker->pid)
		return status;
	while (SYS(NR_wait4, worker->pid, &its, 0, 0) == -EINTR)
		;
	its = its & 0x7f ? OF_SIGNAL + (its & 0x7f) : its >> 8 & 0xff;
	return its ? its : status;
}

/* --- packing -------------------------------------------------------------------------------------------------------- */

static bool is_pipe(int fd)
{
	struct file_status about;
	return SYS(NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &about) == 0 && (about.mode & FORMAT) == PIPE;
}

static void widen(int fd, bool pipe)
{
	int size = QUEUE / 2; /* the kernel doubles it */
	if (pipe)
		SYS(NR_fcntl, fd, F_SETPIPE_SZ, QUEUE);
	else
		SYS(NR_setsockopt, fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
}

/* Bytes that nobody has taken yet. */
static int waiting(int fd, bool pipe)
{
	int count = 0;
	return SYS(NR_ioctl, fd, pipe ? FIONREAD : TIOCOUTQ, &count) < 0 ? 0 : count;
}

static bool send(size_t size, size_t count, const char *data)
{
	struct piece piece = { (uint32_t)size, (uint32_t)count };
	return write_all(1, (const char *)&piece, sizeof piece) == 0 && write_all(1, data, count) == 0;
}

/*
 * Which of the two brings more of what we get over the link is tried, in turns of some time: whether it is the link that is slow or processors that are
 * busy, and with whom we share either, shows in nothing else.
 */
struct trial {
	bool packs; /* in this turn */
	int turns, until; /* since the other way was tried, and how many there shall be */
	uint64_t rates[2]; /* bytes in a second, as it is and packed, of the last turn of each; 0: unknown */
	uint64_t bytes;	   /* of this turn */
	long begin;
	bool idle; /* the link had to wait for us */
	int skipped, skip;
};

/* At the end of a turn. */
static void decide(struct trial *trial)
{
	long time = now() - trial->begin;
	bool first = !trial->rates[0] && !trial->rates[1];
	if (time < (first ? FIRST_TURN : TURN))
		return;
	bool packed = trial->packs;
	trial->rates[packed] = trial->bytes * 1000 / (uint64_t)time + 1;
	bool pays = trial->rates[1] > trial->rates[0] + trial->rates[0] / 10;
	if (!packed && (trial->idle || trial->rates[0] > SLOW)) {
		trial->packs = false; /* we, or who gives us what we pass on, are what takes the time, or would be */
	} else if (trial->rates[!packed] && ++trial->turns < trial->until) {
		trial->packs = pays;
	} else {
		trial->until = trial->until < MOST_TURNS && pays == packed ? trial->until * 2 : trial->until;
		trial->packs = !packed;
		trial->turns = 0;
	}
	trial->bytes = 0;
	trial->idle = false;
	trial->begin = now();
}

/* What does not pack is tried less and less. */
static size_t try(struct trial *trial, size_t size)
{
	if (trial->skipped++ < trial->skip)
		return 0;
	size_t count = lz4_pack(plain, size, packed, size - size / GAIN);
	trial->skipped = 0;
	trial->skip = count ? 0 : trial->skip ? trial->skip * 2 : 1;
	if (trial->skip > MOST_SKIPPED)
		trial->skip = MOST_SKIPPED;
	return count;
}

int command_pack(const struct options *options)
{
	struct worker worker;
	struct trial trial = { .until = LEAST_TURNS, .begin = now() };
	bool pipe = is_pipe(1), good = true;
	long got;
	if (!begin(&worker, options, 1))
		return report_failure("system", "no pipe can be made, or no process");
	int input = worker.pid ? worker.stream : 0;
	widen(1, pipe);
	while (good && (good = may_read(input, 1)) && (got = SYS(NR_read, input, plain, MOST_PIECE_SIZE)) > 0) {
		size_t size = (size_t)got, count = trial.packs && size >= LEAST ? try(&trial, size) : 0;
		trial.idle |= waiting(1, pipe) == 0;
		good = count ? send(size, count, packed) : send(size, size, plain);
		trial.bytes += size;
		decide(&trial);
	}
	if (worker.pid && !good)
		SYS(NR_kill, worker.pid, SIGTERM); /* nobody reads any more what it says */
	return finish(&worker, good ? 0 : 1);
}

/* --- unpacking ------------------------------------------------------------------------------------------------------ */

static bool take(int output, bool *damaged)
{
	struct piece piece;
	if (!may_read(0, output) || !read_all(0, &piece, sizeof piece))
		return false;
	*damaged = piece.size > MOST_PIECE_SIZE || piece.packed > piece.size || !piece.packed;
	if (*damaged || !read_all(0, packed, piece.packed))
		return false; /* a lost connection may end anywhere: who reads sees that it is not all */
	*damaged = piece.packed < piece.size && !lz4_expand(packed, piece.packed, plain, piece.size);
	return !*damaged && write_all(output, piece.packed < piece.size ? plain : packed, piece.size) == 0;
}

int command_unpack(const struct options *options)
{
	static const char message[] = "transproc-stop unpack: what has come is not what can be understood\n";
	struct worker worker;
	bool damaged = false;
	if (!begin(&worker, options, 0))
		return report_failure("system", "no pipe can be made, or no process");
	int output = worker.pid ? worker.stream : 1;
	while (take(output, &damaged))
		;
	if (damaged)
		(void)write_all(2, message, sizeof message - 1); /* the status says it as well */
	return finish(&worker, damaged);
}
