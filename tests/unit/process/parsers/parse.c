/*
 * Gives the tool's readers damaged files: `parse index|list|key FILE...` prints a letter for each, `a` accepted, `r` refused, or `!` if a
 * reader died of it. Each piece of memory ends at a page that cannot be touched, so that who reads behind it dies.
 */
#include "commands.h"
#include "files.h"

enum { PAGE = 4096, NONE = 0, READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22, FIXED = 0x10, OUT_OF_MEMORY = 3 };

__asm__(".text\n" START_CODE);

void *allocate(size_t size)
{
	size_t held = (size + PAGE - 1) & -(size_t)PAGE;
	long base = size < 1ul << 40 ? SYS(NR_mmap, 0, held + PAGE, NONE, PRIVATE_ANONYMOUS, -1, 0) : -ENOMEM;
	if (base < 0 && base > -PAGE)
		leave(OUT_OF_MEMORY);
	SYS(NR_mmap, base, held, READ_WRITE, PRIVATE_ANONYMOUS | FIXED, -1, 0);
	return (void *)((base + (long)held - (long)size) & -8l);
}

void share_memory(bool shared)
{
	(void)shared;
}

static bool use_index(const char *path)
{
	const char *why;
	long offset, sum = 0;
	bool resume;
	struct index *index = index_of_file(open_file(path, O_RDONLY), &why);
	if (!index)
		return false;
	const uint64_t places[] = { 0, index->text_start, index->text_end, index->text_end - 1, index->loop, index->args, ~0ul };
	for (size_t i = 0; i < sizeof places / sizeof *places + index->site_count; i++) {
		size_t place = i - sizeof places / sizeof *places;
		uint64_t pc = i < sizeof places / sizeof *places ? places[i] : index->sites[place].pc;
		sum += function_at(index, pc, &offset, &resume)[0] + may_stop_at(index, pc) + (call_site_at(index, pc) || special_at(index, pc));
	}
	for (uint32_t i = 0; i < index->site_count; i++) {
		const struct site *site = &index->sites[i];
		const struct row *row = &index->rows[site->row];
		for (uint32_t k = 0; k < row->saved_count; k++)
			sum += index->saved[row->saved + k].offset;
		for (uint32_t k = 0; k < (uint32_t)site->narrow + site->wide; k++)
			sum += index->locations[site->location + k].size;
	}
	__asm__ volatile("" : : "r"(sum));
	return true;
}

static bool use_key(const char *path)
{
	static char *none[] = { "criu", NULL };
	struct terminal terminal = { -1, -1, -1 };
	return inherit_terminal(none, path) && restore_terminal(&terminal, path) == 0;
}

static bool accepts(const char *kind, const char *path)
{
	return kind[0] == 'i' ? use_index(path) : kind[0] == 'k' ? use_key(path) : name_files(".", path) >= 0;
}

__attribute__((used)) _Noreturn void start(long *stack)
{
	char **arguments = (char **)(stack + 1);
	for (char **path = arguments + 2; *path; path++) {
		int status = 0;
		long child = spawn();
		if (child == 0)
			leave(accepts(arguments[1], *path) ? 0 : 1);
		SYS(NR_wait4, child, &status, WALL, 0);
		if (write_all(1, status & 0x7f ? "!" : status >> 8 == 0 ? "a" : "r", 1) < 0)
			leave(1);
	}
	leave(0);
}
