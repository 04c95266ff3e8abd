/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
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

bool take_away_at(struct session *session, struct space *space, uint64_t address)
{
	return write_text(session, space, address, original(space, address), sizeof breakpoint);
}

bool put_back_at(struct session *session, struct space *space, uint64_t address)
{
	return write_text(session, space, address, breakpoint, sizeof breakpoint);
}

bool plant_one(struct session *session, struct space *space, uint64_t address)
{
	if (!text_holds(space->index, address, sizeof breakpoint))
		return refuse(session, "usage", 0, "address %x is not in the common text", address);
	if (!load_text(session, space) || !write_text(session, space, address, breakpoint, sizeof breakpoint))
		return false;
	space->planted = PLANTED_ONE;
	return true;
}

/* The text of all processes of a program with breakpoints, made once. */
static const uint8_t *planted_text(struct space *space)
{
	struct index *index = space->index;
	if (index->planted)
		return index->planted;
	uint8_t *text = allocate(text_size(space));
	memcpy(text, space->text, text_size(space));
	for (uint32_t i = 0; i < index->site_count; i++)
		if (may_stop_at(index, index->sites[i].pc))
			memcpy(text + (index->sites[i].pc - index->text_start), breakpoint, sizeof breakpoint);
	text[index->poll - index->text_start] = 1;
	memcpy(text + (index->labels - index->text_start), text + (index->points - index->text_start), index->points - index->labels);
	return index->planted = text;
}

bool prepare(struct session *session, struct space *space)
{
	return load_text(session, space) && planted_text(space);
}

/* All text in one write: sites are dense, and a write costs more than a page's bytes. */
bool plant_all(struct session *session, struct space *space)
{
	if (space->planted == PLANTED_ALL)
		return true;
	if (!prepare(session, space))
		return false;
	space->planted = PLANTED_ALL; /* also if the write ends half-way */
	return write_text(session, space, space->index->text_start, planted_text(space), text_size(space));
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
