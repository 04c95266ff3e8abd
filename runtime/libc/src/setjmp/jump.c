/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* longjmp to a function that has been migrated since it called setjmp, so that its machine registers mean nothing any more: the
 * function is entered again through its resume entry (docs/format.md, section 4).
 *
 * The mark in the buffer is a stack object of that function, so it has kept its address, and of all records that the last migration
 * has written only that frame's lists it. Compiled without sites: the records may not change meanwhile. */
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <transproc/args.h>
#include <transproc/record.h>
#include "syscall.h"

/* What setjmp notes behind the machine's registers; the assembly knows the offsets. */
struct jump {
	uint64_t machine[22], save, mask, used, *mark, site, key, saves_mask;
	struct transproc_record *record; /* 0, or as the last longjmp found it; and the number of migrations at that time */
	uint64_t record_migration;
};
_Static_assert(offsetof(struct jump, mask) == 184, "__sigsetjmp_tail stores it there");
_Static_assert(offsetof(struct jump, mark) == 200, "assembly");
_Static_assert(offsetof(struct jump, site) == 208, "assembly");
_Static_assert(offsetof(struct jump, key) == 216, "assembly");
_Static_assert(offsetof(struct jump, saves_mask) == 224, "assembly");
_Static_assert(offsetof(struct jump, record) == 232, "assembly");
_Static_assert(sizeof(struct jump) <= 312, "jmp_buf");

/* What the mark counts for each time that its frame is entered again. The key is the mark plus the number of migrations, which stays below. */
#define ENTERED (1UL << 32)

hidden _Noreturn void __transproc_enter(struct transproc_record *);
hidden _Noreturn void __transproc_load_registers(struct jump *, int);
hidden long __transproc_syscall(long, long, long, long, long, long, long);

static int lists(const struct transproc_record *r, const void *object)
{
	void *const *end = (void *const *)((const char *)r + r->size);
	if (r->objects)
		for (void *const *p = r->objects; p < end; p++)
			if (*p == object) return 1;
	return 0;
}

static struct transproc_record *find(const struct jump *j)
{
	uintptr_t at = __transproc_args.records_start, end = __transproc_args.records_end;
	while (at < end) {
		struct transproc_record *r = (struct transproc_record *)at;
		if (!r->size) break; /* the rest of the last page */
		if (lists(r, j->mark)) return r;
		at = at + r->size + TRANSPROC_RECORD_ALIGNMENT - 1 & -(uintptr_t)TRANSPROC_RECORD_ALIGNMENT;
	}
	return 0;
}

hidden _Noreturn void __transproc_jump(struct jump *j, int value)
{
	if (j->saves_mask)
		__transproc_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&j->mask, 0, _NSIG / 8, 0, 0);
	if (!j->record || j->record_migration != __transproc_args.migrations) {
		j->record = find(j);
		j->record_migration = __transproc_args.migrations;
	}
	if (!j->record) __transproc_load_registers(j, value); /* another thread has been migrated alone: runtime/self */
	*j->mark += ENTERED; /* what else it noted before is as stale: its machine frame is gone */
	j->record->site = j->site;
	j->record->result[0] = value ? (unsigned)value : 1;
	__transproc_enter(j->record);
}
