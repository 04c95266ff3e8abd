/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See index.h. */
#include "elf.h"
#include "index.h"

enum { PAGE = 4096, SECTION_HEADER = 64, AT_EMPTY_PATH = 0x1000, STATX_INO_SIZE = 0x300 };
static const uint64_t most_text = 1ul << 30; /* more than direct calls reach on aarch64, and than one pwrite(2) takes */

static struct index *indexes;

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return SYS(NR_pread64, fd, to, size, offset) == (long)size;
}

/* Finds a section by name; false if the file has none or its headers are damaged. */
static bool find_section(int fd, const struct elf_header *elf, const char *name, struct section *found)
{
	struct section names;
	if (elf->section_size != SECTION_HEADER || elf->names >= elf->section_count)
		return false;
	if (!read_at(fd, &names, sizeof names, elf->sections + (uint64_t)elf->names * SECTION_HEADER))
		return false;
	for (int i = 0; i < elf->section_count; i++) {
		char text[32] = { 0 };
		if (!read_at(fd, found, sizeof *found, elf->sections + (uint64_t)i * SECTION_HEADER))
			return false;
		SYS(NR_pread64, fd, text, sizeof text - 1, names.offset + found->name);
		if (!strcmp(text, name))
			return true;
	}
	return false;
}

static const void *table(const char *base, uint64_t size, int number, size_t row_size, uint32_t *count, bool *good)
{
	const struct index_header *header = (const struct index_header *)base;
	uint64_t offset = header->table[number].offset;
	*count = header->table[number].count;
	if (offset % 8 && row_size > 1)
		*good = false;
	if (offset + (uint64_t)*count * row_size > size)
		*good = false;
	return base + offset;
}

static bool values_are_sound(const struct index *index)
{
	for (uint32_t i = 0; i < index->location_count; i++) {
		const struct location *l = &index->locations[i];
		if (l->kind < 1 || l->kind > 5 || l->size > 16 || (l->kind == 5 && (uint32_t)l->offset >= index->constant_count))
			return false;
	}
	for (uint32_t i = 0; i < index->function_count; i++)
		if ((uint64_t)index->functions[i].object + index->functions[i].objects > index->object_count)
			return false;
	for (uint32_t i = 0; i < index->object_count; i++)
		if (index->objects[i].reg >= DWARF_REGISTERS)
			return false;
	return true;
}

bool text_holds(const struct index *index, uint64_t address, uint64_t size)
{
	uint64_t text = index->text_end - index->text_start;
	return address >= index->text_start && size <= text && address - index->text_start <= text - size;
}

static bool sites_are_sound(const struct index *index)
{
	for (uint32_t i = 0; i < index->site_count; i++) {
		const struct site *site = &index->sites[i];
		if (site->row >= index->row_count || site->function >= index->function_count)
			return false;
		if ((uint64_t)site->location + site->narrow + site->wide > index->location_count)
			return false;
		if (!text_holds(index, site->pc, sizeof breakpoint))
			return false;
		if (i && site->pc < site[-1].pc)
			return false;
	}
	return true;
}

static bool rows_are_sound(const struct index *index)
{
	for (uint32_t i = 0; i < index->row_count; i++) {
		const struct row *row = &index->rows[i];
		if (row->cfa_register >= DWARF_REGISTERS || (uint64_t)row->saved + row->saved_count > index->saved_count)
			return false;
	}
	for (uint32_t i = 0; i < index->special_count; i++)
		if (index->specials[i].row >= index->row_count)
			return false;
	for (uint32_t i = 0; i < index->function_count; i++)
		if (index->functions[i].name >= index->string_size)
			return false;
	return !index->string_size || !index->strings[index->string_size - 1];
}

static bool read_tables(struct index *index, const char *base, uint64_t size)
{
	bool good = true;
	index->functions = table(base, size, TABLE_FUNCTIONS, sizeof *index->functions, &index->function_count, &good);
	index->sites = table(base, size, TABLE_SITES, sizeof *index->sites, &index->site_count, &good);
	index->rows = table(base, size, TABLE_ROWS, sizeof *index->rows, &index->row_count, &good);
	index->saved = table(base, size, TABLE_SAVED, sizeof *index->saved, &index->saved_count, &good);
	index->locations = table(base, size, TABLE_LOCATIONS, sizeof *index->locations, &index->location_count, &good);
	index->constants = table(base, size, TABLE_CONSTANTS, sizeof *index->constants, &index->constant_count, &good);
	index->objects = table(base, size, TABLE_OBJECTS, sizeof *index->objects, &index->object_count, &good);
	index->specials = table(base, size, TABLE_SPECIALS, sizeof *index->specials, &index->special_count, &good);
	index->strings = table(base, size, TABLE_STRINGS, 1, &index->string_size, &good);
	return good && rows_are_sound(index) && values_are_sound(index) && sites_are_sound(index);
}

static uint64_t find_special(const struct index *index, uint32_t kind)
{
	for (uint32_t i = 0; i < index->special_count; i++)
		if (index->specials[i].kind == kind)
			return index->specials[i].pc;
	return 0;
}

/* What is planted with the breakpoints, and therefore lies in the text. */
static bool find_switches(struct index *index)
{
	index->poll = find_special(index, SPECIAL_POLL);
	index->labels = find_special(index, SPECIAL_LABELS);
	index->points = find_special(index, SPECIAL_POINTS);
	uint64_t end = index->text_end;
	bool tables = index->labels >= index->text_start && index->labels <= index->points && index->points <= end && index->points - index->labels <= end - index->points;
	return tables && text_holds(index, index->poll, sizeof(uint32_t)) && index->poll % 4 == 0;
}

/*
 * Read, not mapped: the file is not ours, and one that is cut short while we look at it would kill us, perhaps while breakpoints are
 * planted. `size`: of the file.
 */
static const char *load_index(int fd, uint64_t size, struct index *index)
{
	struct elf_header elf;
	struct section section;
	if (!read_at(fd, &elf, sizeof elf, 0) || memcmp(elf.ident, "\177ELF\2\1", 6) || elf.machine != ELF_MACHINE)
		return "its executable is not an ELF file of this machine";
	if (!find_section(fd, &elf, ".transproc.sites", &section))
		return "its executable has no site index: it was not linked by transproc-cc";
	if (section.offset % PAGE || section.size < sizeof(struct index_header) || section.offset > size || section.size > size - section.offset)
		return "its executable's site index is damaged: alignment or size";
	char *base = allocate(section.size);
	if (!read_at(fd, base, section.size, section.offset))
		return "its executable's site index cannot be read";
	const struct index_header *header = (const struct index_header *)base;
	if (memcmp(header->magic, "TPSITES4", 8) || header->machine != ELF_MACHINE)
		return "its executable's site index is of another version or machine";
	index->text_start = header->text_start;
	index->text_end = header->text_end;
	index->loop = header->loop;
	index->end = header->end;
	index->args = header->args;
	if (index->text_end < index->text_start || index->text_end - index->text_start > most_text ||
	    !read_tables(index, base, section.size) || !find_switches(index))
		return "its executable's site index is damaged";
	return NULL;
}

struct index *index_of_file(int fd, const char **why)
{
	struct file_status file;
	*why = "its executable cannot be read";
	if (SYS(NR_statx, fd, "", AT_EMPTY_PATH, STATX_INO_SIZE, &file) < 0)
		return NULL;
	uint64_t device = (uint64_t)file.device_major << 32 | file.device_minor;
	for (struct index *index = indexes; index; index = index->next)
		if (index->inode == file.inode && index->device == device)
			return index;
	struct index *index = allocate(sizeof *index);
	*why = load_index(fd, file.size, index);
	if (*why)
		return NULL;
	index->inode = file.inode;
	index->device = device;
	index->next = indexes;
	indexes = index;
	return index;
}

struct index *index_of(int pid, const char **why)
{
	int fd = open_file(format("/proc/%d/exe", (long)pid), O_RDONLY);
	*why = fd == -ENOENT || fd == -ESRCH ? NULL : "its executable cannot be opened";
	if (fd < 0)
		return NULL;
	struct index *index = index_of_file(fd, why);
	SYS(NR_close, fd);
	return index;
}

/* The last site at or before a pc: rows are ordered by pc, then kind, and points follow calls. */
static const struct site *site_before(const struct index *index, uint64_t pc)
{
	uint32_t low = 0, high = index->site_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (index->sites[middle].pc <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &index->sites[low - 1] : NULL;
}

const struct site *site_at(const struct index *index, uint64_t pc)
{
	const struct site *site = site_before(index, pc);
	return site && site->pc == pc ? site : NULL;
}

const struct site *call_site_at(const struct index *index, uint64_t pc)
{
	const struct site *site = site_at(index, pc);
	while (site && site->id & SITE_POINT)
		site = site > index->sites && site[-1].pc == pc ? site - 1 : NULL;
	return site;
}

bool may_stop_at(const struct index *index, uint64_t pc)
{
	const struct site *site = site_at(index, pc);
	return site && !(site->flags & SITE_NO_STOP);
}

const struct special *special_at(const struct index *index, uint64_t pc)
{
	for (uint32_t i = 0; i < index->special_count; i++)
		if (index->specials[i].pc == pc)
			return &index->specials[i];
	return NULL;
}

const char *function_at(const struct index *index, uint64_t pc, long *offset, bool *resume)
{
	const struct function *nearest = NULL;
	*offset = 0;
	*resume = false;
	if (!index || pc < index->text_start || pc >= index->text_end)
		return "";
	for (uint32_t i = 0; i < index->function_count; i++) {
		const struct function *function = &index->functions[i];
		if (pc >= function->address && pc - function->address < function->size) {
			*offset = (long)(pc - function->address);
			return index->strings + function->name;
		}
		if (function->resume && function->resume <= pc && (!nearest || function->resume > nearest->resume))
			nearest = function;
	}
	/* The sizes of resume entries are not in the index: only what lies behind one of their sites is surely theirs. */
	const struct site *site = site_before(index, pc);
	if (!nearest || !site || !(site->flags & SITE_IN_RESUME) || &index->functions[site->function] != nearest)
		return "";
	*offset = (long)(pc - nearest->resume);
	*resume = true;
	return index->strings + nearest->name;
}
