/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See mend.h. */
#include "mend.h"
#include "elf.h"
#include "guard.h"
#include "remote.h"

enum { SEIZE_TIME = 2000, SEGMENT_LOAD = 1, SEGMENT_CODE = 1, MOST_INJECTED = 4096, STOP_TIME = 2000 };
static const char draft_suffix[] = "~";

/* The file: of each process this, its threads, its descriptors, and start and end of its mappings. */
struct kept_process {
	char magic[8];
	int32_t pid;
	uint32_t threads, descriptors, mappings;
};
static const char magic[8] = "TPKEEP2";

struct kept_thread {
	int32_t tid;
	uint32_t set, vectors_size, unused; /* the number of a set of registers, and how much of it there is */
	uint64_t mask;
	struct registers registers;
	uint8_t vectors[MOST_VECTORS];
};

struct vector {
	void *data;
	size_t size;
};

struct mappings {
	uint64_t (*items)[2];
	size_t count;
};

/* The first set that the processor has. */
static bool read_vectors(int tid, struct kept_thread *thread)
{
	for (size_t i = 0; i < sizeof vector_sets / sizeof *vector_sets; i++) {
		struct vector vector = { thread->vectors, sizeof thread->vectors };
		if (SYS(NR_ptrace, PTRACE_GETREGSET, tid, vector_sets[i], &vector) < 0)
			continue;
		thread->set = vector_sets[i];
		thread->vectors_size = (uint32_t)vector.size;
		return true;
	}
	return false;
}

static bool read_thread(int tid, struct kept_thread *thread)
{
	memset(thread, 0, sizeof *thread);
	thread->tid = tid;
	return get_registers(tid, &thread->registers) >= 0 && get_mask(tid, &thread->mask) >= 0 && read_vectors(tid, thread);
}

static long write_thread(struct kept_thread *thread)
{
	struct vector vector = { thread->vectors, thread->vectors_size };
	long first = put_registers(thread->tid, &thread->registers), second = SYS(NR_ptrace, PTRACE_SETREGSET, thread->tid, thread->set, &vector);
	long third = put_mask(thread->tid, thread->mask);
	return first ? first : second ? second : third;
}

static struct mappings mappings_of(int pid)
{
	struct mappings found = { 0 };
	char *text = read_file(format("/proc/%d/maps", (long)pid));
	size_t lines = 0;
	for (const char *at = text; at && *at; at++)
		lines += *at == '\n';
	found.items = allocate((lines + 1) * sizeof *found.items);
	for (char *at = text; at && *at;) {
		for (int part = 0; part < 2; part++, at++)
			for (; (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'); at++)
				found.items[found.count][part] = found.items[found.count][part] << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
		found.count++;
		while (*at && *at++ != '\n')
			;
	}
	return found;
}

static void add_descriptor(void *list, const char *name)
{
	uint64_t number;
	if (parse_number(name, &number))
		add_number(list, (int)number);
}

static struct numbers descriptors_of(int pid)
{
	struct numbers found = { 0 };
	each_entry(format("/proc/%d/fd", (long)pid), add_descriptor, &found);
	return found;
}

/* All threads of a process, traced and standing; what cannot be traced is left out. */
static struct numbers seize_all(int pid)
{
	struct numbers threads = threads_of(pid), seized = { 0 };
	for (size_t i = 0; i < threads.count; i++)
		if (seize_stopped(threads.items[i], SEIZE_TIME))
			add_number(&seized, threads.items[i]);
	return seized;
}

/* One that was ending when the tree was stopped (a call that nothing stops) is none of it any more: it has no memory and no registers. */
static bool has_ended(int pid)
{
	struct numbers threads = threads_of(pid);
	for (size_t i = 0; i < threads.count; i++) {
		char state = state_of(pid, threads.items[i]);
		if (state && state != 'Z' && state != 'X')
			return false;
	}
	return true;
}

/* Each goes back to its group stop. */
static void release_all(int pid, const struct numbers *threads)
{
	for (size_t i = 0; i < threads->count; i++)
		SYS(NR_ptrace, PTRACE_DETACH, threads->items[i], 0, 0);
	long until = now() + STOP_TIME;
	for (size_t i = 0; i < threads->count; i++)
		while (state_of(pid, threads->items[i]) != 'T' && state_of(pid, threads->items[i]) && now() < until)
			rest(1);
}

static bool describe(struct text *out, int pid, const struct numbers *threads)
{
	static struct kept_thread thread;
	struct numbers descriptors = descriptors_of(pid);
	struct mappings mappings = mappings_of(pid);
	struct kept_process process = { .pid = pid, .threads = (uint32_t)threads->count, .descriptors = (uint32_t)descriptors.count, .mappings = (uint32_t)mappings.count };
	memcpy(process.magic, magic, sizeof magic);
	append(out, (const char *)&process, sizeof process);
	for (size_t i = 0; i < threads->count; i++) {
		if (!read_thread(threads->items[i], &thread))
			return false;
		append(out, (const char *)&thread, sizeof thread);
	}
	append(out, (const char *)descriptors.items, descriptors.count * sizeof *descriptors.items);
	append(out, (const char *)mappings.items, mappings.count * sizeof *mappings.items);
	return true;
}

static long keep_file(const char *path, const struct text *text)
{
	char *draft = format("%s%s", path, draft_suffix);
	long result = write_file(draft, text);
	return result < 0 ? result : SYS(NR_renameat2, AT_FDCWD, draft, AT_FDCWD, path, 0);
}

long keep_tree(int pid, const char *path)
{
	long result = mend_tree(pid, path);
	struct numbers tree = tree_of(pid), *threads = allocate((tree.count + 1) * sizeof *threads);
	struct text text = { 0 };
	struct call call = { 0 };
	const char *why;
	for (size_t i = 0; i < tree.count && result == 0; i++) {
		struct text before = text;
		threads[i] = seize_all(tree.items[i]);
		if (threads[i].count && describe(&text, tree.items[i], &threads[i]))
			continue;
		text = before;
		if (!has_ended(tree.items[i]))
			result = -ESRCH;
	}
	if (result == 0)
		result = keep_file(path, &text);
	for (size_t i = 0; i < tree.count; i++) {
		struct index *index = threads[i].count ? index_of(tree.items[i], &why) : NULL;
		if (result == 0 && index)
			set_guard(tree.items[i], threads[i].items[0], index, true, &call);
		release_all(tree.items[i], &threads[i]);
	}
	return result;
}

/* --- and back ------------------------------------------------------------------------------------------------------ */

/* What criu calls by, at the start of the first code. */
static void mend_code(int pid, int memory)
{
	static uint8_t right[MOST_INJECTED], there[MOST_INJECTED];
	struct elf_header elf;
	struct segment segment;
	int fd = open_file(format("/proc/%d/exe", (long)pid), O_RDONLY);
	if (SYS(NR_pread64, fd, &elf, sizeof elf, 0) != sizeof elf)
		elf.segment_count = 0;
	for (int i = 0; i < elf.segment_count && elf.segment_size == sizeof segment; i++) {
		if (SYS(NR_pread64, fd, &segment, sizeof segment, elf.segments + (uint64_t)i * sizeof segment) != sizeof segment)
			continue;
		if (segment.type != SEGMENT_LOAD || !(segment.flags & SEGMENT_CODE))
			continue;
		/* Whole pages of the file are mapped. */
		uint64_t skip = segment.address % MOST_INJECTED, start = segment.address - skip;
		long size = SYS(NR_pread64, fd, right, sizeof right, segment.offset - skip);
		if (size > 0 && SYS(NR_pread64, memory, there, size, start) == size && memcmp(there, right, (size_t)size))
			SYS(NR_pwrite64, memory, right, size, start);
	}
	SYS(NR_close, fd);
}

static bool had_mapping(const struct mappings *before, uint64_t start)
{
	for (size_t i = 0; i < before->count; i++)
		if (start >= before->items[i][0] && start < before->items[i][1])
			return true;
	return false;
}

/* Descriptors and mappings that are new are criu's: the program has done nothing since. */
static void take_away(int pid, int tid, const struct numbers *descriptors, const struct mappings *before)
{
	const char *why;
	struct index *index = index_of(pid, &why);
	struct numbers open = descriptors_of(pid);
	struct mappings mappings = mappings_of(pid);
	struct call call = { 0 };
	long result;
	for (size_t i = 0; i < open.count && index; i++)
		if (!contains(descriptors, open.items[i]))
			call_remotely(tid, trap_of(index), NR_close, (uint64_t[4]){ (uint64_t)open.items[i] }, &call, &result);
	for (size_t i = 0; i < mappings.count && index; i++) {
		const uint64_t *mapping = mappings.items[i];
		if (!had_mapping(before, mapping[0]))
			call_remotely(tid, trap_of(index), NR_munmap, (uint64_t[4]){ mapping[0], mapping[1] - mapping[0] }, &call, &result);
	}
}

static long mend_threads(struct kept_thread *kept, uint32_t count, const struct numbers *seized)
{
	static struct kept_thread is;
	long result = 0;
	for (uint32_t i = 0; i < count; i++) {
		take_pending_trap(kept[i].tid);
		if (!contains(seized, kept[i].tid))
			result = -ESRCH;
		else if (!read_thread(kept[i].tid, &is) || memcmp(&is, &kept[i], sizeof is))
			result = write_thread(&kept[i]) < 0 ? -EIO : result;
	}
	return result;
}

static long mend_process(struct kept_process *process, struct kept_thread *threads, const struct numbers *descriptors, const struct mappings *mappings)
{
	int pid = process->pid;
	struct numbers seized = seize_all(pid);
	if (!seized.count)
		return 0; /* it has ended */
	int memory = open_file(format("/proc/%d/mem", (long)pid), O_RDWR);
	long result = mend_threads(threads, process->threads, &seized);
	mend_code(pid, memory);
	take_away(pid, seized.items[0], descriptors, mappings);
	SYS(NR_close, memory);
	release_all(pid, &seized);
	return result;
}

static void *take_from(struct text *file, uint64_t size)
{
	if (size > file->size)
		return NULL;
	void *found = allocate(size);
	memcpy(found, file->data, size);
	file->data += size;
	file->size -= size;
	return found;
}

/* -EINVAL: the file is not whole. */
static long mend_from(struct text *file, const struct numbers *tree)
{
	long result = 0;
	while (file->size) {
		struct kept_process *process = take_from(file, sizeof *process);
		if (!process || memcmp(process->magic, magic, sizeof magic))
			return -EINVAL;
		struct kept_thread *threads = take_from(file, (uint64_t)process->threads * sizeof *threads);
		int *open = take_from(file, (uint64_t)process->descriptors * sizeof *open);
		void *mapped = take_from(file, (uint64_t)process->mappings * 2 * sizeof(uint64_t));
		if (!threads || !open || !mapped)
			return -EINVAL;
		struct numbers descriptors = { open, process->descriptors, process->descriptors };
		struct mappings mappings = { mapped, process->mappings };
		/* Guarded or not: who set the guard may have been killed in the middle of that. */
		long done = contains(tree, process->pid) ? mend_process(process, threads, &descriptors, &mappings) : 0;
		result = result ? result : done;
	}
	return result;
}

static void lift(int pid)
{
	const char *why;
	struct call call = { 0 };
	struct index *index = index_of(pid, &why);
	struct numbers threads = threads_of(pid);
	if (!index || !threads.count || !catches_traps(pid) || !seize_stopped(threads.items[0], SEIZE_TIME))
		return;
	set_guard(pid, threads.items[0], index, false, &call);
	threads.count = 1;
	release_all(pid, &threads);
}

long mend_tree(int pid, const char *path)
{
	struct text file = { 0 };
	struct numbers tree = tree_of(pid);
	long result = path && read_text(path, &file) ? mend_from(&file, &tree) : 0;
	if (result < 0)
		return result;
	for (size_t i = 0; i < tree.count; i++)
		lift(tree.items[i]);
	if (path)
		SYS(NR_unlinkat, AT_FDCWD, path, 0);
	return 0;
}
