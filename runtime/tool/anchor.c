/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See anchor.h. */
#include "anchor.h"
#include "poll.h"
#include "remote.h"

enum { OPTION_EXITKILL = 1 << 20, CLONE_FILES = 0x400, ARGUMENTS_FIELD = 48 /* of /proc/PID/stat */, LEFT_FIELDS = 3, LONGEST_PATH = 4096 };
enum { AT_EXECFN = 31 /* linux/auxvec.h */ };

/* Start and end of what ps(1) shows of a process: fields 48 and 49, of which the second, a name, may contain anything. */
static bool arguments_of(int pid, uint64_t range[2])
{
	struct text file;
	size_t at = 0, field = LEFT_FIELDS - 1;
	if (!read_text(format("/proc/%d/stat", (long)pid), &file))
		return false;
	append(&file, "", 1);
	for (size_t i = 0; i < file.size; i++)
		at = file.data[i] == ')' ? i + 1 : at;
	for (; file.data[at] && field < ARGUMENTS_FIELD + 2; at++) {
		if (file.data[at] == ' ')
			field++;
		else if (field >= ARGUMENTS_FIELD && file.data[at] >= '0' && file.data[at] <= '9')
			range[field - ARGUMENTS_FIELD] = range[field - ARGUMENTS_FIELD] * 10 + (uint64_t)(file.data[at] - '0');
	}
	return range[0] && range[0] < range[1];
}

/* It does nothing for a job, and is not to be taken for what does. */
static void hide_arguments(int pid, int memory)
{
	static const char nothing[4096];
	uint64_t range[2] = { 0 };
	if (!arguments_of(pid, range))
		return;
	for (uint64_t at = range[0]; at < range[1]; at += sizeof nothing)
		SYS(NR_pwrite64, memory, nothing, range[1] - at < sizeof nothing ? range[1] - at : sizeof nothing, at);
}

static bool await_exec(int pid)
{
	int status = 0;
	while (SYS(NR_wait4, pid, &status, WALL, 0) == pid && (status & 0xff) == 0x7f) {
		if (status >> 16 == EVENT_EXEC)
			return true;
		SYS(NR_ptrace, PTRACE_CONT, pid, 0, status >> 16 ? 0 : status >> 8 & 0xff);
	}
	return false;
}

/* The name by which a program was executed, as the kernel has left it in its memory; 0 if that cannot be told. */
static const char *name_of(int pid)
{
	static char name[LONGEST_PATH];
	struct text file;
	uint64_t entry[2], address = 0;
	if (!read_text(format("/proc/%d/auxv", (long)pid), &file))
		return 0;
	for (size_t at = 0; at + sizeof entry <= file.size && !address; at += sizeof entry) {
		memcpy(entry, file.data + at, sizeof entry);
		address = entry[0] == AT_EXECFN ? entry[1] : 0;
	}
	int memory = open_file(format("/proc/%d/mem", (long)pid), O_RDONLY);
	long size = address && memory >= 0 ? SYS(NR_pread64, memory, name, sizeof name, address) : -1;
	if (memory >= 0)
		SYS(NR_close, memory);
	for (long i = 0; i < size; i++)
		if (!name[i])
			return name;
	return 0;
}

/* Whether a program that was just executed is a script: it will execute another one, and has a table of descriptors of its own then. */
static bool is_script(int pid)
{
	const char *name = name_of(pid);
	char first[2] = "";
	int file = name ? open_file(name[0] == '/' ? name : format("/proc/%d/cwd/%s", (long)pid, name), O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return false;
	long size = SYS(NR_read, file, first, sizeof first);
	SYS(NR_close, file);
	return size == sizeof first && first[0] == '#' && first[1] == '!';
}

/* Before the first instruction of a program: it clones itself, by an instruction that is there for that long. The child, or -errno. */
static long clone_remotely(int pid)
{
	static const uint64_t shared[4] = { CLONE_FILES };
	uint8_t before[sizeof system_call];
	struct registers registers;
	struct call call = { 0 };
	long child = -EIO;
	int memory = open_file(format("/proc/%d/mem", (long)pid), O_RDWR);
	if (stand_still(pid) < 0 || get_registers(pid, &registers) < 0)
		return -ESRCH;
	uint64_t start = program_counter(&registers);
	if (SYS(NR_pread64, memory, before, sizeof before, start) != sizeof before || SYS(NR_pwrite64, memory, system_call, sizeof system_call, start) != sizeof system_call)
		return -EIO;
	long done = call_remotely(pid, start, NR_clone, shared, &call, &child);
	SYS(NR_pwrite64, memory, before, sizeof before, start);
	SYS(NR_close, memory);
	return done < 0 ? done : child;
}

static _Noreturn void watch(int pid, int ready)
{
	struct poll end = { (int)SYS(NR_pidfd_open, pid, 0), POLLIN, 0 };
	int status;
	/* Should we end before it runs, it ends as well: it has done nothing yet. */
	if (end.fd < 0 || SYS(NR_ptrace, PTRACE_SEIZE, pid, 0, 1 << EVENT_EXEC | OPTION_EXITKILL) < 0)
		leave(1);
	SYS(NR_close, ready);
	bool runs = await_exec(pid);
	while (runs && is_script(pid)) {
		SYS(NR_ptrace, PTRACE_CONT, pid, 0, 0);
		runs = await_exec(pid);
	}
	/* Not before: what a script starts would wait for us. */
	if (!runs || SYS(NR_ptrace, PTRACE_SETOPTIONS, pid, 0, TRACE_OPTIONS | OPTION_EXITKILL) < 0)
		leave(1);
	long child = clone_remotely(pid);
	if (child > 0 && SYS(NR_wait4, child, &status, WALL, 0) == child) /* it has our options, from its birth on */
		hide_arguments((int)child, open_file(format("/proc/%d/mem", child), O_RDWR));
	SYS(NR_ptrace, PTRACE_DETACH, pid, 0, 0);
	if (child > 0)
		while (!end.found)
			poll_for(&end, 1, -1);
	leave(0);
}

void anchor_descriptors(void)
{
	int ready[2], pid = (int)SYS(NR_getpid), status;
	char word;
	if (SYS(NR_pipe2, ready, O_CLOEXEC) < 0)
		return;
	/* A grandchild: criu is to have no children that it does not know. */
	long child = spawn();
	if (child == 0) {
		if (spawn() != 0)
			leave(0);
		SYS(NR_setsid);
		SYS(NR_dup3, ready[1], 0, 0);
		SYS(NR_close_range, 1, ~0u, 0);
		hide_arguments((int)SYS(NR_getpid), open_file("/proc/self/mem", O_RDWR));
		watch(pid, 0);
	}
	SYS(NR_close, ready[1]);
	SYS(NR_read, ready[0], &word, 1); /* until it is closed */
	SYS(NR_close, ready[0]);
	if (child > 0)
		SYS(NR_wait4, child, &status, 0, 0);
}
