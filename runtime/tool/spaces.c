/* Address spaces and the breakpoints in them. */
#include "session.h"

enum { KCMP_VM = 1 };

struct space *open_space(struct session *session, int pid)
{
	const char *why;
	struct index *index = index_of(pid, &why);
	if (!index) {
		if (why)
			refuse(session, "no-index", pid, "process %d: %s", (long)pid, why);
		return NULL;
	}
	for (struct process *other = session->processes; other; other = other->next)
		if (!other->gone && other->pid != pid && SYS(NR_kcmp, other->pid, pid, KCMP_VM, 0, 0) == 0)
			return other->space;
	int memory = open_file(format("/proc/%d/mem", (long)pid), O_RDWR);
	if (memory < 0) {
		if (memory != -ENOENT && memory != -ESRCH)
			refuse(session, "denied", pid, "process %d: its memory cannot be opened: errno %d", (long)pid, -(long)memory);
		return NULL;
	}
	struct space *space = allocate(sizeof *space);
	space->memory = memory;
	space->index = index;
	space->next = session->spaces;
	return session->spaces = space;
}

struct space *space_of_child(struct session *session, struct process *parent, int pid)
{
	if (SYS(NR_kcmp, parent->pid, pid, KCMP_VM, 0, 0) == 0)
		return parent->space;
	struct space *space = allocate(sizeof *space);
	*space = *parent->space;
	space->memory = open_file(format("/proc/%d/mem", (long)pid), O_RDWR);
	space->next = session->spaces;
	return session->spaces = space;
}

bool read_memory(const struct space *space, uint64_t address, void *to, size_t size)
{
	return SYS(NR_pread64, space->memory, to, size, address) == (long)size;
}

static bool write_memory(const struct space *space, uint64_t address, const void *from, size_t size)
{
	return SYS(NR_pwrite64, space->memory, from, size, address) == (long)size;
}

bool is_ours(const struct session *session, const struct space *space, uint64_t address)
{
	return space->text && (address == session->at || address == session->arrived || may_stop_at(space->index, address));
}

static size_t text_size(const struct space *space)
{
	return space->index->text_end - space->index->text_start;
}

static bool load_text(struct session *session, struct space *space)
{
	if (space->text)
		return true;
	uint8_t *text = allocate(text_size(space));
	if (!read_memory(space, space->index->text_start, text, text_size(space)))
		return refuse(session, "system", 0, "the common text %x-%x cannot be read", space->index->text_start, space->index->text_end);
	space->text = text;
	return true;
}

static bool write_text(struct session *session, struct space *space, uint64_t address, const void *from, size_t size)
{
	return write_memory(space, address, from, size) || refuse(session, "system", 0, "text at %x cannot be written", address);
}

static const uint8_t *original(const struct space *space, uint64_t address)
{
	return space->text + (address - space->index->text_start);
}

bool plant_one(struct session *session, struct space *space, uint64_t address)
{
	if (address < space->index->text_start || address + sizeof breakpoint > space->index->text_end)
		return refuse(session, "usage", 0, "address %x is not in the common text", address);
	if (!load_text(session, space) || !write_text(session, space, address, breakpoint, sizeof breakpoint))
		return false;
	space->planted = PLANTED_ONE;
	return true;
}

/* All text in one write: sites are dense, and a write costs more than a page's bytes. The buffer serves all processes of a program. */
bool plant_all(struct session *session, struct space *space)
{
	static struct index *prepared;
	static uint8_t *text;
	if (space->planted == PLANTED_ALL)
		return true;
	if (!load_text(session, space))
		return false;
	if (prepared != space->index) {
		prepared = space->index;
		text = allocate(text_size(space));
		memcpy(text, space->text, text_size(space));
		for (uint32_t i = 0; i < space->index->site_count; i++)
			if (may_stop_at(space->index, space->index->sites[i].pc))
				memcpy(text + (space->index->sites[i].pc - space->index->text_start), breakpoint, sizeof breakpoint);
		text[space->index->poll - space->index->text_start] = 1;
		memcpy(text + (space->index->labels - space->index->text_start), text + (space->index->points - space->index->text_start), space->index->points - space->index->labels);
	}
	space->planted = PLANTED_ALL; /* also if the write ends half-way */
	return write_text(session, space, space->index->text_start, text, text_size(space));
}

bool unplant(struct session *session, struct space *space)
{
	enum planted planted = space->planted;
	space->planted = PLANTED_NOTHING;
	if (planted == PLANTED_ONE)
		return write_text(session, space, session->at, original(space, session->at), sizeof breakpoint);
	if (planted == PLANTED_ALL)
		return write_text(session, space, space->index->text_start, space->text, text_size(space));
	return true;
}

/* Waits until a thread that makes a step is elsewhere, or gone. */
static bool await_step(struct session *session, struct thread *thread, uint64_t from)
{
	struct registers registers;
	for (;;) {
		if (!wait_events(session, session->deadline))
			return false;
		if (thread->stop == RUNNING)
			continue;
		if (thread->stop == GONE || !read_registers(thread, &registers) || program_counter(&registers) != from)
			return true;
		let_go(thread, PTRACE_SINGLESTEP); /* a fault came first, or the answer to an earlier interruption */
	}
}

bool step_over(struct session *session, struct thread *thread)
{
	struct space *space = thread->process->space;
	uint64_t pc = thread->pc;
	if (!stop_all(session, space, session->deadline))
		return false;
	if (!is_live(thread))
		return true;
	session->steps++;
	if (!write_text(session, space, pc, original(space, pc), sizeof breakpoint))
		return false;
	mask_signals(thread); /* no handler in place of the instruction, which is no system call */
	let_go(thread, PTRACE_SINGLESTEP);
	bool done = await_step(session, thread, pc);
	if (done && thread->stop != GONE)
		unmask_signals(thread);
	/* After a time-out as well: the thread may be running, and roll_back takes all breakpoints away together. */
	return write_text(session, space, pc, breakpoint, sizeof breakpoint) && done;
}

bool run_freely(struct session *session, struct thread *thread, long time)
{
	struct space *space = thread->process->space;
	if (!stop_all(session, space, session->deadline) || !unplant(session, space))
		return false;
	if (is_live(thread))
		let_go(thread, PTRACE_CONT);
	for (long until = now() + time; is_live(thread) && thread->stop == RUNNING && now() < until && !session->cancelled;)
		wait_events(session, until);
	return stop_all(session, space, session->deadline);
}
