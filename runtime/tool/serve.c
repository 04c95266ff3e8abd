/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See serve.h. Memory is given back here: a session can last as long as a user watches a job. */
#include "serve.h"
#include "request.h"
#include "poll.h"

enum { PROTOCOL = 1, MOST_PROGRAMS = 64, PIECE = 1 << 16, GRACE = 5000 /* ms from SIGTERM to SIGKILL */ };
enum { PR_SET_PDEATHSIG = 1, SIG_SETMASK = 2, ALL_SIGNALS = 64 };
enum { SIGPIPE = 13, SIG_IGNORED = 1, F_SETFL = 4, NOT_BLOCKING = 04000, PRIVATE = 077, NOT_FOUND = 127 };

enum kind { HELLO, OUTPUT, ERRORS, END };

struct answer_head {
	uint32_t id, kind, size;
};

struct end {
	uint32_t status, late; /* as wait4 tells it; ended by its deadline */
};

struct program {
	uint32_t id;
	int pid, process /* pidfd */, streams[2], input /* -1: it has all */;
	long until; /* of now(); 0 for ever */
	bool late, told;
};

static struct program programs[MOST_PROGRAMS];
static size_t count;
static char piece[PIECE];

static bool answer(uint32_t id, enum kind kind, const void *data, size_t size)
{
	struct answer_head head = { id, kind, (uint32_t)size };
	return write_all(1, (const char *)&head, sizeof head) == 0 && write_all(1, data, size) == 0;
}

/* --- programs ------------------------------------------------------------------------------------------------------ */

static void clean_signals(void)
{
	uint64_t none = 0, action[4] = { 0 };
	for (int signal = 1; signal <= ALL_SIGNALS; signal++)
		SYS(NR_rt_sigaction, signal, action, 0, sizeof none);
	SYS(NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
}

/* In the child: does not return. It does not outlive us, but may be asked to end in good order. */
static _Noreturn void become(char **words, char *const *environment)
{
	const struct launch how = { .argv = words, .environment = (char **)environment };
	SYS(NR_prctl, PR_SET_PDEATHSIG, SIGTERM);
	clean_signals();
	long result = execute(&how);
	char *message = format("%s: %s\n", words[0], result == -ENOENT ? "not found" : format("cannot be executed: errno %d", -result));
	if (write_all(2, message, strlen(message)) < 0)
		leave(NOT_FOUND + 1);
	leave(NOT_FOUND);
}

static bool start_program(const struct options *options, uint32_t id, char *data, size_t size)
{
	const struct request *request = (const struct request *)data;
	int output[2], errors[2], later[2] = { -1, -1 };
	if (count == MOST_PROGRAMS || SYS(NR_pipe2, output, O_CLOEXEC) < 0 || SYS(NR_pipe2, errors, O_CLOEXEC) < 0)
		return false;
	if (request->words & LATER && SYS(NR_pipe2, later, O_CLOEXEC) < 0)
		return false;
	long pid = spawn();
	if (pid == 0) {
		char *input = NULL, **words = words_of(data, size, &input);
		int file = !words ? -EINVAL : later[0] >= 0 ? later[0] : input_file(input, (size_t)(data + size - input));
		SYS(NR_setpgid, 0, 0);
		if (file < 0)
			leave(NOT_FOUND);
		SYS(NR_dup3, file, 0, 0);
		SYS(NR_dup3, output[1], 1, 0);
		SYS(NR_dup3, errors[1], 2, 0);
		become(words, options->launch.environment);
	}
	SYS(NR_close, output[1]);
	SYS(NR_close, errors[1]);
	if (later[0] >= 0)
		SYS(NR_close, later[0]);
	if (pid < 0)
		return false;
	SYS(NR_setpgid, pid, pid); /* here too: it may be ended before it has run */
	for (int i = 0; i < 2; i++)
		SYS(NR_fcntl, (i ? errors : output)[0], F_SETFL, NOT_BLOCKING);
	programs[count++] = (struct program){ .id = id, .pid = (int)pid, .process = (int)SYS(NR_pidfd_open, pid, 0),
		.streams = { output[0], errors[0] }, .input = later[1], .until = request->milliseconds ? now() + request->milliseconds : 0 };
	return programs[count - 1].process >= 0;
}

static void end_input(struct program *program)
{
	if (program->input >= 0)
		SYS(NR_close, program->input);
	program->input = -1;
}

/* What a program has waited for, which has its deadline from now on. It may have ended. */
static bool bring_input(uint32_t id, const char *data, size_t size)
{
	const struct request *request = (const struct request *)data;
	for (size_t i = 0; i < count; i++) {
		struct program *program = &programs[i];
		if (program->id != id || program->input < 0)
			continue;
		if (size > PIECE) /* a pipe takes so much at once */
			return false;
		program->until = request->milliseconds ? now() + request->milliseconds : 0;
		(void)write_all(program->input, data + sizeof *request, size - sizeof *request);
		end_input(program);
	}
	return true;
}

/* Passes on what is there; false if nobody listens any more. A stream that has ended is closed. */
static bool pass_on(struct program *program, int stream)
{
	while (program->streams[stream] >= 0) {
		long got = SYS(NR_read, program->streams[stream], piece, sizeof piece);
		if (got == -EINTR)
			continue;
		if (got == -EAGAIN)
			return true;
		if (got > 0)
			return answer(program->id, stream ? ERRORS : OUTPUT, piece, (size_t)got);
		SYS(NR_close, program->streams[stream]);
		program->streams[stream] = -1;
	}
	return true;
}

/* All that it has left behind in its pipes, as far as it is there now: who it started may hold them open. */
static bool pass_on_rest(struct program *program)
{
	struct poll poll = { .events = POLLIN };
	for (int stream = 0; stream < 2; stream++)
		while ((poll.fd = program->streams[stream]) >= 0 && poll_for(&poll, 1, 0) > 0)
			if (!pass_on(program, stream))
				return false;
	return true;
}

static void tell(struct program *program, int signal)
{
	if (SYS(NR_kill, -program->pid, signal) < 0)
		SYS(NR_kill, program->pid, signal);
}

/*
 * What a program that was ended, or killed, had started and left in its group: a criu has a child that sleeps until it is killed. The program is not
 * reaped yet, so the group is its own still.
 */
static void end_group(const struct program *program)
{
	struct child_info info;
	if (await_child(program->pid, &info) == 0 && (program->told || info.code != CLD_EXITED))
		SYS(NR_kill, -program->pid, SIGKILL);
}

/* Takes the program that has ended from the table. */
static bool finish_program(size_t number)
{
	struct program *program = &programs[number];
	int status = 0;
	bool heard = pass_on_rest(program);
	end_group(program);
	SYS(NR_wait4, program->pid, &status, WALL, 0);
	struct end end = { (uint32_t)status, program->late };
	heard = heard && answer(program->id, END, &end, sizeof end);
	for (int stream = 0; stream < 2; stream++)
		if (program->streams[stream] >= 0)
			SYS(NR_close, program->streams[stream]);
	end_input(program);
	SYS(NR_close, program->process);
	*program = programs[--count];
	return heard;
}

/* Asks a program to end, and makes it after GRACE. */
static void end_program(struct program *program)
{
	tell(program, program->told ? SIGKILL : SIGTERM);
	end_input(program);
	program->told = true;
	program->until = now() + GRACE;
}

/* Sees to the deadlines; returns the milliseconds until the next, -1 if there is none. */
static long keep_deadlines(void)
{
	long next = -1, time = now();
	for (size_t i = 0; i < count; i++) {
		if (programs[i].until && programs[i].until <= time) {
			programs[i].late |= !programs[i].told;
			end_program(&programs[i]);
		}
		long left = programs[i].until - time;
		if (programs[i].until && (next < 0 || left < next))
			next = left > 0 ? left : 0;
	}
	return next;
}

/*
 * Nobody listens any more. Who does not heed SIGTERM has a reason to come to its end (criu in the middle of a dump), and has until its own
 * deadline for that.
 */
static void end_all(void)
{
	for (size_t i = 0; i < count; i++) {
		tell(&programs[i], SIGTERM);
		end_input(&programs[i]);
		programs[i].told = true;
	}
	while (count) {
		long left = keep_deadlines();
		struct poll poll = { programs[0].process, POLLIN, 0 };
		if (poll_for(&poll, 1, left) > 0)
			finish_program(0);
	}
}

/* --- commands ------------------------------------------------------------------------------------------------------ */

/* False at the end of requests, or if they make no sense. */
static bool take_request(const struct options *options)
{
	struct request_head head;
	if (!read_all(0, &head, sizeof head))
		return false;
	if (!head.size) {
		for (size_t i = 0; i < count; i++)
			if (programs[i].id == head.id && !programs[i].told)
				end_program(&programs[i]);
		return true;
	}
	char *data = read_request(&head);
	bool more = data && ((const struct request *)data)->words == 0;
	bool good = data && (more ? bring_input(head.id, data, head.size) : start_program(options, head.id, data, head.size));
	if (data)
		SYS(NR_munmap, data, head.size + 1);
	return good;
}

/* One round: whatever is ready. The table changes only behind what was looked at. */
static bool attend(const struct options *options, const struct poll *polls)
{
	for (size_t i = count; i-- > 0;) {
		const struct poll *mine = polls + 1 + 3 * i;
		for (int stream = 0; stream < 2; stream++)
			if (mine[stream].found && !pass_on(&programs[i], stream))
				return false;
		if (mine[2].found && !finish_program(i))
			return false;
	}
	return !polls[0].found || take_request(options);
}

int command_serve(const struct options *options)
{
	static struct poll polls[1 + 3 * MOST_PROGRAMS];
	static const uint32_t version = PROTOCOL;
	uint64_t ignore[4] = { SIG_IGNORED };
	SYS(NR_rt_sigaction, SIGPIPE, ignore, 0, sizeof(uint64_t));
	SYS(NR_umask, PRIVATE);
	bool goes_on = answer(0, HELLO, &version, sizeof version);
	while (goes_on) {
		long left = keep_deadlines();
		polls[0] = (struct poll){ 0, POLLIN, 0 };
		for (size_t i = 0; i < count; i++) {
			struct program *program = &programs[i];
			const int ends[] = { program->streams[0], program->streams[1], program->process };
			for (size_t k = 0; k < 3; k++)
				polls[1 + 3 * i + k] = (struct poll){ ends[k], POLLIN, 0 };
		}
		long ready = poll_for(polls, 1 + 3 * count, left);
		if (ready > 0)
			goes_on = attend(options, polls);
	}
	end_all();
	return 0;
}

int command_channel(const struct options *options)
{
	struct request_head head;
	int status = 0;
	char *input, *data, **words;
	if (!read_all(0, &head, sizeof head) || !(data = read_request(&head)) || !(words = words_of(data, head.size, &input)))
		return NOT_FOUND; /* was not needed, and closed */
	SYS(NR_umask, PRIVATE);
	long pid = spawn();
	if (pid == 0)
		become(words, options->launch.environment);
	SYS(NR_close, 0); /* the streams are the program's: it alone decides when they end */
	SYS(NR_close, 1);
	if (pid < 0 || SYS(NR_wait4, pid, &status, WALL, 0) < 0)
		return NOT_FOUND;
	return exit_status(status);
}
