/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Maps a static program as the kernel's ELF loader does (fs/binfmt_elf.c), with writable text. */
#include "elf.h"
#include "self.h"

enum { PAGE = 4096, PT_LOAD = 1, MAP_PRIVATE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32, ALL = 7 /* read, write, execute */ };
enum { AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_ENTRY = 9, AT_EXECFN = 31 };
enum { SHT_SYMTAB = 2 };

void give_up(const char *message)
{
	if (report)
		memcpy(report->message, message, strlen(message) < MESSAGE ? strlen(message) : MESSAGE - 1);
	leave(127);
}

static void map_fixed(uint64_t address, uint64_t size, int flags, int fd, uint64_t offset)
{
	long got = SYS(NR_mmap, address, size, ALL, flags | MAP_PRIVATE | MAP_FIXED, fd, offset);
	if (got != (long)address)
		give_up("the program's addresses cannot be mapped");
}

static void map_segment(int fd, const struct segment *s)
{
	uint64_t start = s->address & ~(uint64_t)(PAGE - 1), skip = s->address - start;
	uint64_t file_end = s->address + s->file_size, end = s->address + s->size;
	uint64_t file_pages = (file_end + PAGE - 1) & ~(uint64_t)(PAGE - 1), pages = (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	if (s->file_size) {
		map_fixed(start, file_pages - start, 0, fd, s->offset - skip);
		if (s->size > s->file_size)
			memset((void *)file_end, 0, (end < file_pages ? end : file_pages) - file_end);
		start = file_pages;
	}
	if (pages > start)
		map_fixed(start, pages - start, MAP_ANONYMOUS, -1, 0);
}

static void find_detours(const char *file, const struct section *symbols, const struct section *strings, uint64_t found[DETOURS])
{
	const struct symbol *symbol = (const struct symbol *)(file + symbols->offset);
	for (uint64_t i = 0; i < symbols->size / sizeof *symbol; i++)
		for (int k = 0; k < DETOURS; k++)
			if (!strcmp(file + strings->offset + symbol[i].name, detour_of[k].name))
				found[k] = symbol[i].value;
}

static void read_symbols(int fd, const struct elf_header *elf, uint64_t entries[DETOURS])
{
	long size = SYS(NR_lseek, fd, 0, 2 /* SEEK_END */);
	long file = SYS(NR_mmap, 0, size, 1, MAP_PRIVATE, fd, 0);
	if (file < 0 && file > -PAGE)
		give_up("the program cannot be mapped");
	const struct section *sections = (const struct section *)(file + (long)elf->sections);
	bool found = false;
	for (int i = 0; i < elf->section_count; i++)
		if (sections[i].type == SHT_SYMTAB) {
			find_detours((const char *)file, &sections[i], &sections[sections[i].link], entries);
			found = true;
		}
	SYS(NR_munmap, file, size);
	if (!found)
		give_up("the program has no symbol table: link it without -s");
	for (int k = 0; k < DETOURS; k++)
		if (!entries[k])
			give_up("the program was linked by another version: link it again");
}

static void set_auxiliary(long *stack, const struct elf_header *elf, uint64_t segments, const char *path)
{
	long *at = stack + 1 + stack[0] + 1;
	while (*at++) /* the environment */
		;
	for (; at[0]; at += 2) {
		if (at[0] == AT_PHDR)
			at[1] = (long)segments;
		else if (at[0] == AT_PHNUM)
			at[1] = elf->segment_count;
		else if (at[0] == AT_PHENT)
			at[1] = elf->segment_size;
		else if (at[0] == AT_ENTRY)
			at[1] = (long)elf->entry;
		else if (at[0] == AT_EXECFN)
			at[1] = (long)path;
	}
}

uint64_t load_program(int fd, const char *path, long *stack)
{
	struct elf_header elf;
	struct segment segments[16];
	uint64_t table = 0, entries[DETOURS] = { 0 };
	if (SYS(NR_pread64, fd, &elf, sizeof elf, 0) != sizeof elf || elf.segment_count > 16)
		give_up("the program is damaged");
	long size = (long)(elf.segment_count * sizeof *segments);
	if (SYS(NR_pread64, fd, segments, size, elf.segments) != size)
		give_up("the program is damaged");
	for (int i = 0; i < elf.segment_count; i++) {
		const struct segment *s = &segments[i];
		if (s->type != PT_LOAD || !s->size)
			continue;
		map_segment(fd, s);
		if (s->offset <= elf.segments && elf.segments < s->offset + s->file_size)
			table = s->address + elf.segments - s->offset;
	}
	read_symbols(fd, &elf, entries);
	take_system_calls(entries);
	set_auxiliary(stack, &elf, table, path);
	return elf.entry;
}
