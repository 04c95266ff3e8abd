/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What runs before the C library: the process moves to a stack of its own, in a place that every ISA has. Nothing can be stopped
 * here, below whose frames the stack is the kernel's, so this is compiled without sites.
 *
 * The kernel's [stack] lies at the top of the address space, which differs between ISAs, grows by itself, and holds pointers of the
 * kernel; so arguments, environment and auxiliary vector are copied to a mapping, and [stack] is never used again. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "syscall.h"
#include <transproc/args.h>
#include <transproc/identity.h>

#define AARCH64 183
#define MIN_STACK (8UL << 20)
#define MAX_STACK (1UL << 30)
#define PAGE 4096UL

/* The stack grows down from here, less up to 64 GiB, as far as RLIMIT_STACK allows at that time. Below the kernel's choices for mappings on
 * every ISA (x86_64: down from 2^47, or up from a third of that; aarch64: up from 2^46, see below), and terabytes above the heap. */
#define STACK_PLACE 0x3ff000000000UL
#define STACK_PLACES (1UL << 24)
#define RANDOM_BYTES 16

hidden int __transproc_isa(void);

static struct transproc_clocks clocks;
struct transproc_args __transproc_args = { .clocks_mark = TRANSPROC_CLOCKS, .clocks = &clocks };

struct block {
	long argc;
	char **argv, **envp;
	size_t *auxv;
	size_t env_count, aux_count; /* without the terminators */
};

static struct block read_block(long *p)
{
	struct block block = { .argc = p[0], .argv = (char **)(p + 1) };
	block.envp = block.argv + block.argc + 1;
	while (block.envp[block.env_count]) block.env_count++;
	block.auxv = (size_t *)(block.envp + block.env_count + 1);
	while (block.auxv[2 * block.aux_count]) block.aux_count++;
	return block;
}

static size_t auxiliary(const struct block *block, size_t type)
{
	for (size_t i = 0; i < block->aux_count; i++)
		if (block->auxv[2 * i] == type) return block->auxv[2 * i + 1];
	return 0;
}

static size_t length(const char *s)
{
	size_t n = 0;
	while (s[n]) n++;
	return n + 1;
}

static const char *base_name(const char *path)
{
	const char *base = path;
	for (; *path; path++)
		if (*path == '/') base = path + 1;
	return base;
}

/* After a start through /proc/self/exe the kernel calls the process "exe". */
static void restore_name(const char *executed)
{
	static const char self[] = "/proc/self/exe";
	char path[256];
	for (size_t i = 0; i < sizeof self; i++)
		if (executed[i] != self[i]) return;
	long n = __syscall(SYS_readlinkat, AT_FDCWD, self, path, sizeof path - 1);
	if (n <= 0) return;
	path[n] = 0;
	__syscall(SYS_prctl, PR_SET_NAME, base_name(path));
}

/* x86_64 has 47 bits of user address space, aarch64 48. With this personality the kernel maps upwards from a quarter of them, below
 * what both have; it takes effect at execve (arch_pick_mmap_layout). Programs that gain privileges lose it again, and are left alone. */
static void keep_addresses_low(const struct block *block)
{
	const char *executed = (const char *)auxiliary(block, AT_EXECFN);
	if (__transproc_isa() != AARCH64 || auxiliary(block, AT_SECURE)) return;
	long now = __syscall(SYS_personality, 0xffffffff);
	if (now < 0) return;
	if (now & ADDR_COMPAT_LAYOUT) {
		if (executed) restore_name(executed);
		return;
	}
	if (__syscall(SYS_personality, now | ADDR_COMPAT_LAYOUT) < 0) return;
	if (executed) __syscall(SYS_execve, executed, block->argv, block->envp);
	__syscall(SYS_execve, "/proc/self/exe", block->argv, block->envp);
}

/* More than 0 if the job that executes itself anew has moved before. */
static uint64_t moves_so_far(void)
{
	uint64_t moves;
	long size = __syscall(SYS_getxattr, "/proc/self/exe", TRANSPROC_ATTRIBUTE, &moves, sizeof moves);
	return size == sizeof moves ? moves : 0;
}

static size_t stack_size(void)
{
	struct rlimit limit;
	if (__syscall(SYS_prlimit64, 0, RLIMIT_STACK, 0, &limit) < 0) return MIN_STACK;
	size_t size = limit.rlim_cur > MAX_STACK ? MAX_STACK : limit.rlim_cur;
	if (size < MIN_STACK) size = MIN_STACK;
	return (size + PAGE - 1) & -PAGE;
}

/* Returns its lowest address. A kernel with fewer bits of address space gets a stack that does not grow, with a guard below it. */
static char *map_stack(size_t size, const struct block *block)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
	const uint64_t *random = (const uint64_t *)auxiliary(block, AT_RANDOM); /* its first half is the canary */
	uintptr_t high = STACK_PLACE - (random ? random[1] % STACK_PLACES * PAGE : 0);
	uintptr_t low = __syscall(SYS_mmap, high - size, size, PROT_READ | PROT_WRITE,
		flags | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	if (low == high - size) return (char *)low;
	if (low < -PAGE) __syscall(SYS_munmap, low, size); /* before Linux 4.17 the place is a wish */
	low = __syscall(SYS_mmap, 0, size + PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (low > -PAGE) __builtin_trap();
	__syscall(SYS_mprotect, low, PAGE, PROT_NONE);
	return (char *)low + PAGE;
}

/* What must not be kept: addresses of the kernel's pages, and what only one ISA has. */
static int dropped(size_t type)
{
	return type == AT_SYSINFO_EHDR || type == AT_SYSINFO || type == AT_PLATFORM || type == AT_BASE_PLATFORM;
}

static int cleared(size_t type)
{
	enum { HWCAP3 = 29, HWCAP4 = 30 };
	return type == AT_HWCAP || type == AT_HWCAP2 || type == HWCAP3 || type == HWCAP4;
}

static size_t strings_size(const struct block *block)
{
	size_t size = RANDOM_BYTES;
	for (long i = 0; i < block->argc; i++) size += length(block->argv[i]);
	for (size_t i = 0; i < block->env_count; i++) size += length(block->envp[i]);
	if (auxiliary(block, AT_EXECFN)) size += length((char *)auxiliary(block, AT_EXECFN));
	return size;
}

static char *copy_bytes(char *to, const char *from, size_t size)
{
	for (size_t i = 0; i < size; i++) to[i] = from[i];
	return to + size;
}

static long *copy_pointers(long *to, char **from, size_t count, char **strings)
{
	for (size_t i = 0; i < count; i++) {
		*to++ = (long)*strings;
		*strings = copy_bytes(*strings, from[i], length(from[i]));
	}
	*to++ = 0;
	return to;
}

static long *copy_auxiliary(long *to, const struct block *block, char *strings)
{
	for (size_t i = 0; i < block->aux_count; i++) {
		size_t type = block->auxv[2 * i], value = block->auxv[2 * i + 1];
		if (dropped(type)) continue;
		if (cleared(type)) value = 0;
		if (type == AT_RANDOM || type == AT_EXECFN) {
			size_t size = type == AT_RANDOM ? RANDOM_BYTES : length((char *)value);
			char *copy = strings;
			strings = copy_bytes(strings, (char *)value, size);
			value = (size_t)copy;
		}
		*to++ = type;
		*to++ = value;
	}
	*to++ = 0;
	*to++ = 0;
	return to;
}

/* Called by _start with the kernel's stack pointer (psABI: argc, argv, 0, envp, 0, auxv); returns the new one, with a copy of all that. */
hidden long *__transproc_prepare(long *initial)
{
	struct block block = read_block(initial);
	keep_addresses_low(&block);

	size_t size = stack_size();
	char *low = map_stack(size, &block), *high = low + size;
	char *strings = (char *)((uintptr_t)(high - strings_size(&block)) & -16UL);
	size_t words = 1 + block.argc + 1 + block.env_count + 1 + 2 * (block.aux_count + 1);
	long *top = (long *)((uintptr_t)((long *)strings - words) & -16UL), *next = top;

	__transproc_args.moves = moves_so_far();
	__transproc_args.stack_low = (uintptr_t)low;
	__transproc_args.stack_high = (uintptr_t)high;
	*next++ = block.argc;
	__transproc_args.arg_start = (uintptr_t)strings;
	next = copy_pointers(next, block.argv, block.argc, &strings);
	__transproc_args.arg_end = __transproc_args.env_start = (uintptr_t)strings;
	next = copy_pointers(next, block.envp, block.env_count, &strings);
	__transproc_args.env_end = (uintptr_t)strings;
	__transproc_args.auxv = (uintptr_t)next;
	copy_auxiliary(next, &block, strings);
	return top;
}
