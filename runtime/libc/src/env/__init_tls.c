/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The thread block, low to high:
 *
 *   td     struct pthread
 *   gap    roundup(16, align)
 *   T      the TLS block, roundup(memsz, align) bytes; its first word is __transproc_self (layout.ld)
 *   tail   64 bytes: tail[0] = its own address (x86_64's %fs:0), tail[1] = td
 *   dtv    2 words
 *
 * aarch64's thread pointer is td + sizeof *td (its ABI puts TLS above it), x86_64's is the tail (TLS below it). So the address of td
 * and of every thread-local variable is the same on both, and only the thread pointer changes at a migration.
 * Sources: ELF Handling For Thread-Local Storage, sections 3.4.6 (variant II) and 3.4 (variant I). */
#define SYSCALL_NO_TLS 1
#include <elf.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include "pthread_impl.h"
#include "libc.h"
#include "atomic.h"
#include "syscall.h"
#include <transproc/args.h>

enum { TAIL = 64, DTV = 2 * sizeof(uintptr_t) };

volatile int __thread_list_lock;

/* Initialised, so that it lies in .tdata; the value is never seen. */
hidden _Thread_local struct pthread *__transproc_self = (void *)-1;

/* Thread pointer - td of x86_64, of aarch64. */
size_t __transproc_tp_offset[2];

/* See time/cpu.h; zero in a new thread. */
hidden _Thread_local struct transproc_thread_clock __transproc_thread_clock;

static struct tls_module main_tls;

int __init_tp(void *p)
{
	pthread_t td = p;
	td->self = td;
	int r = __set_thread_area(TP_ADJ(p));
	if (r < 0) return -1;
	if (!r) libc.can_do_threads = 1;
	td->detach_state = DT_JOINABLE;
	td->tid = __syscall(SYS_set_tid_address, &__thread_list_lock);
	td->locale = &libc.global_locale;
	td->robust_list.head = &td->robust_list.head;
	td->next = td->prev = td;
	return 0;
}

/* Makes a thread block in `mem` (libc.tls_size bytes, zero). */
void *__copy_tls(unsigned char *mem)
{
	mem += -((uintptr_t)mem + sizeof(struct pthread)) & (main_tls.align - 1);
	pthread_t td = (void *)mem;
	unsigned char *block = mem + sizeof(struct pthread) + main_tls.offset;
	uintptr_t *tail = (void *)(block + main_tls.size);
	uintptr_t *dtv = (void *)((unsigned char *)tail + TAIL);

	memcpy(block, main_tls.image, main_tls.len);
	*(pthread_t *)block = td;
	tail[0] = (uintptr_t)tail;
	tail[1] = (uintptr_t)td;
	dtv[0] = 1;
	dtv[1] = (uintptr_t)block + DTP_OFFSET;
	td->dtv = dtv;
	return td;
}

/* A thread of timer_create starts again as if new. */
void __reset_tls(void)
{
	pthread_t self = __pthread_self();
	unsigned char *block = (unsigned char *)self + sizeof *self + main_tls.offset;
	struct transproc_thread_clock clock = __transproc_thread_clock; /* it is the same thread for the kernel */
	memcpy(block + sizeof self, (char *)main_tls.image + sizeof self, main_tls.len - sizeof self);
	memset(block + main_tls.len, 0, main_tls.size - main_tls.len);
	__transproc_thread_clock = clock;
}

static size_t round_up(size_t size, size_t align)
{
	return (size + align - 1) & -align;
}

static void read_headers(const size_t *aux)
{
	const unsigned char *p = (void *)aux[AT_PHDR];
	for (size_t n = aux[AT_PHNUM]; n; n--, p += aux[AT_PHENT]) {
		const Elf64_Phdr *header = (void *)p;
		if (header->p_type != PT_TLS) continue;
		main_tls.image = (void *)header->p_vaddr;
		main_tls.len = header->p_filesz;
		main_tls.align = header->p_align;
		main_tls.size = round_up(header->p_memsz, header->p_align);
	}
}

void __init_tls(size_t *aux)
{
	read_headers(aux);
	main_tls.offset = round_up(GAP_ABOVE_TP, main_tls.align);
	libc.tls_head = &main_tls;
	libc.tls_cnt = 1;
	libc.tls_align = main_tls.align;
	libc.tls_size = round_up(
		main_tls.align + sizeof(struct pthread) + main_tls.offset + main_tls.size + TAIL + DTV, 16);
	__transproc_tp_offset[0] = sizeof(struct pthread) + main_tls.offset + main_tls.size;
	__transproc_tp_offset[1] = sizeof(struct pthread);

	void *mem = (void *)__syscall(SYS_mmap, 0, libc.tls_size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if ((uintptr_t)mem > -4096UL || __init_tp(__copy_tls(mem)) < 0)
		a_crash();
	__transproc_args.clocks->thread = (uintptr_t)&__transproc_thread_clock - (uintptr_t)__pthread_self();
}
