/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* System calls whose arguments differ between the neutral kernel ABI (asm-generic, as on aarch64) and x86_64's.
 *
 * Compiled for x86_64 only, natively: the leaf (x86_64.S) calls `__transproc_syscall_enter` before its trap and
 * `__transproc_syscall_leave` after it for the numbers that the table marks. Nothing here blocks or is on a stack while a thread
 * does; the call can be issued again from the seven neutral arguments alone. */
#include <stddef.h>
#include <stdint.h>

#define NATIVE __attribute__((section(".isa.text")))

enum { SCRATCH = 104 }; /* bytes that the leaf's frame has for converted structures */

struct frame {
	union {
		unsigned char bytes[SCRATCH];
		uint64_t open_how[3]; /* flags, mode, resolve: include/uapi/linux/openat2.h */
		struct __attribute__((packed)) native_epoll_event {
			uint32_t events;
			uint64_t data;
		} event; /* packed on x86_64 only: include/uapi/linux/eventpoll.h */
		struct native_semid {
			unsigned char permissions[48];
			uint64_t otime, pad1, ctime, pad2, count, pad3[2];
		} semid; /* arch/x86/include/uapi/asm/sembuf.h */
	};
	long native[7];
};

struct neutral_epoll_event {
	uint32_t events, pad;
	uint64_t data;
};

struct neutral_semid {
	unsigned char permissions[48];
	uint64_t otime, ctime, count, pad[2];
}; /* include/uapi/asm-generic/sembuf.h */

_Static_assert(offsetof(struct frame, native) == SCRATCH, "the leaf's frame");
_Static_assert(sizeof(struct native_semid) == SCRATCH, "x86_64's semid64_ds");
_Static_assert(sizeof(struct neutral_semid) == 88, "asm-generic semid64_ds");

/* Numbers of include/uapi/asm-generic/unistd.h; the table's generator marks the same list (toolchain/libc/native.py: CONVERTED). */
enum neutral_number {
	EPOLL_CTL = 21,
	EPOLL_PWAIT = 22,
	FCNTL = 25,
	OPENAT = 56,
	PIPE2 = 59,
	MQ_OPEN = 180,
	SEMCTL = 191,
	CLONE = 220,
	FANOTIFY_INIT = 262,
	OPEN_BY_HANDLE_AT = 265,
	OPENAT2 = 437,
	EPOLL_PWAIT2 = 441,
};

enum { F_GETFL = 3, F_SETFL = 4 };
enum { IPC_SET = 1, IPC_STAT = 2, SEM_STAT = 18, SEM_STAT_ANY = 20 };

/* The four open flags that are permuted: {neutral, x86_64} (include/uapi/asm-generic/fcntl.h, arch/arm64/include/uapi/asm/fcntl.h). */
static const uint32_t permuted[4][2] = {
	{040000, 0200000},  /* O_DIRECTORY */
	{0100000, 0400000}, /* O_NOFOLLOW */
	{0200000, 040000},  /* O_DIRECT */
	{0400000, 0100000}, /* O_LARGEFILE */
};

NATIVE static uint64_t flags_to(int column, uint64_t flags)
{
	uint64_t result = flags & ~(uint64_t)0740000;
	for (int i = 0; i < 4; i++)
		if (flags & permuted[i][!column])
			result |= permuted[i][column];
	return result;
}

NATIVE static long native_flags(long flags)
{
	return (long)flags_to(1, (uint64_t)flags);
}

/* A struct open_how that is longer than the scratch space is left alone: the kernel refuses fields that it does not know. */
NATIVE static void enter_openat2(struct frame *frame)
{
	const uint64_t *how = (const uint64_t *)frame->native[3];
	if (!how || frame->native[4] != sizeof frame->open_how)
		return;
	frame->open_how[0] = flags_to(1, how[0]);
	frame->open_how[1] = how[1];
	frame->open_how[2] = how[2];
	frame->native[3] = (long)frame->open_how;
}

NATIVE static void enter_epoll_ctl(struct frame *frame)
{
	const struct neutral_epoll_event *event = (const void *)frame->native[4];
	if (!event)
		return;
	frame->event.events = event->events;
	frame->event.data = event->data;
	frame->native[4] = (long)&frame->event;
}

NATIVE static void copy(unsigned char *to, const unsigned char *from, int size)
{
	for (int i = 0; i < size; i++)
		to[i] = from[i];
}

NATIVE static int semctl_uses_struct(long command)
{
	return command == IPC_SET || command == IPC_STAT || command == SEM_STAT || command == SEM_STAT_ANY;
}

NATIVE static void enter_semctl(struct frame *frame)
{
	const struct neutral_semid *semid = (const void *)frame->native[4];
	if (!semctl_uses_struct(frame->native[3]) || !semid)
		return;
	if (frame->native[3] == IPC_SET)
		copy(frame->semid.permissions, semid->permissions, sizeof semid->permissions);
	frame->native[4] = (long)&frame->semid;
}

/* Fills `frame->native` (number, then six arguments); number + 1 with the mark in bit 15 is what the table holds. */
NATIVE void __transproc_syscall_enter(const long neutral[7], long native[7], struct frame *frame)
{
	extern const uint16_t __transproc_syscall_table[];
	native[0] = (__transproc_syscall_table[neutral[0]] & 0x7fff) - 1;
	for (int i = 1; i < 7; i++)
		native[i] = neutral[i];
	switch (neutral[0]) {
	case OPENAT:
	case OPEN_BY_HANDLE_AT:
		native[3] = native_flags(native[3]);
		break;
	case PIPE2:
	case MQ_OPEN:
	case FANOTIFY_INIT:
		native[2] = native_flags(native[2]);
		break;
	case FCNTL:
		if (native[2] == F_SETFL)
			native[3] = native_flags(native[3]);
		break;
	case OPENAT2:
		enter_openat2(frame);
		break;
	case EPOLL_CTL:
		enter_epoll_ctl(frame);
		break;
	case SEMCTL:
		enter_semctl(frame);
		break;
	case CLONE: /* neutral: flags, stack, ptid, tls, ctid */
		native[4] = neutral[5];
		native[5] = neutral[4];
		break;
	default:
		break;
	}
}

/* The kernel wrote packed events to the start of the caller's buffer, which holds as many wide ones: spread them, last first. */
NATIVE static void widen_events(void *buffer, long count)
{
	const struct native_epoll_event *from = buffer;
	struct neutral_epoll_event *to = buffer;
	for (long i = count - 1; i >= 0; i--) {
		struct native_epoll_event event = from[i];
		__asm__ volatile("" ::: "memory"); /* the two arrays overlap */
		to[i].events = event.events;
		to[i].pad = 0;
		to[i].data = event.data;
	}
}

NATIVE static void leave_semctl(const long neutral[7], const struct frame *frame)
{
	struct neutral_semid *semid = (void *)neutral[4];
	if (!semctl_uses_struct(neutral[3]) || neutral[3] == IPC_SET || !semid)
		return;
	copy(semid->permissions, frame->semid.permissions, sizeof semid->permissions);
	semid->otime = frame->semid.otime;
	semid->ctime = frame->semid.ctime;
	semid->count = frame->semid.count;
}

/* Converts what a finished call has written; returns the neutral result. */
NATIVE long __transproc_syscall_leave(long result, const long neutral[7], const struct frame *frame)
{
	if (result < 0)
		return result;
	switch (neutral[0]) {
	case FCNTL:
		return neutral[2] == F_GETFL ? (long)flags_to(0, (uint64_t)result) : result;
	case EPOLL_PWAIT:
	case EPOLL_PWAIT2:
		widen_events((void *)neutral[2], result);
		return result;
	case SEMCTL:
		leave_semctl(neutral, frame);
		return result;
	default:
		return result;
	}
}
