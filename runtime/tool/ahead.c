/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See ahead.h. */
#include "ahead.h"
#include "poll.h"
#include "proc.h"

enum { LOAD_TIME = 2000, LOOK_PAUSE = 1 /* ms */ };

long begin_ahead(struct ahead *ahead)
{
	int pipe[2];
	long result = SYS(NR_pipe2, pipe, O_CLOEXEC);
	if (result < 0)
		return result;
	result = spawn();
	if (result == 0) {
		SYS(NR_dup3, pipe[0], 0, 0);
		SYS(NR_close, pipe[0]);
		SYS(NR_close, pipe[1]);
		return 0;
	}
	SYS(NR_close, pipe[0]);
	*ahead = (struct ahead){ (int)result, pipe[1] };
	return result;
}

char **configured(char *const *argv)
{
	static char option[] = "--config", file[] = "/proc/self/fd/0";
	size_t count = 0;
	while (argv[count])
		count++;
	char **words = allocate((count + 3) * sizeof *words);
	memcpy(words, argv, count * sizeof *words);
	words[count] = option;
	words[count + 1] = file;
	return words;
}

/* It reads: that is its configuration, for whatever else comes at once. */
static bool is_loaded(int pid)
{
	uint64_t call, first;
	return call_of(pid, pid, &call, &first) && call == NR_read;
}

bool await_configuration(const struct ahead *ahead, struct text *configuration)
{
	struct poll input = { 0, POLLIN, 0 };
	for (long until = now() + LOAD_TIME; !input.found && !is_loaded(ahead->pid) && now() < until;)
		poll_for(&input, 1, LOOK_PAUSE);
	if (write_all(2, "\n", 1) < 0)
		return false;
	return read_stream(0, configuration) && configuration->size;
}

long configure(struct ahead *ahead, const struct text *configuration)
{
	long result = write_all(ahead->configuration, configuration->data, configuration->size), closed = SYS(NR_close, ahead->configuration);
	return result < 0 ? result : closed;
}

void give_up(struct ahead *ahead)
{
	int status;
	SYS(NR_kill, ahead->pid, SIGKILL);
	SYS(NR_wait4, ahead->pid, &status, WALL, 0);
	SYS(NR_close, ahead->configuration);
}
