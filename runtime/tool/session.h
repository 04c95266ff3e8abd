/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A pause in progress: the processes of a tree, their threads, all traced by us, and their address spaces with the breakpoints
 * in them.
 *
 * Invariants
 * - Every thread of the tree is attached with PTRACE_SEIZE; what they create is attached by the kernel (PTRACE_O_TRACE*).
 * - A thread that is `stop != RUNNING` is in a ptrace stop and does nothing until we continue or detach it.
 * - Text is modified only while every thread that could execute it is in a ptrace stop.
 * - A signal that a thread reported is in `thread->signal` until it is handed back, by the next continuation or by the detachment.
 */
#ifndef TOOL_SESSION_H
#define TOOL_SESSION_H

#include "index.h"
#include "proc.h"

/* linux/ptrace.h */
enum {
	PTRACE_CONT = 7, PTRACE_SINGLESTEP = 9, PTRACE_DETACH = 17, PTRACE_SETOPTIONS = 0x4200, PTRACE_GETEVENTMSG = 0x4201, PTRACE_GETSIGINFO = 0x4202,
	PTRACE_SYSCALL = 24, PTRACE_GETREGSET = 0x4204, PTRACE_SETREGSET = 0x4205, PTRACE_SEIZE = 0x4206, PTRACE_INTERRUPT = 0x4207,
	PTRACE_GET_SYSCALL_INFO = 0x420e, PTRACE_PEEKSIGINFO = 0x4209, PTRACE_GETSIGMASK = 0x420a, PTRACE_SETSIGMASK = 0x420b,
};
enum { EVENT_FORK = 1, EVENT_VFORK = 2, EVENT_CLONE = 3, EVENT_EXEC = 4, EVENT_STOP = 128 };
/* Tell stops at system calls; follow fork, vfork, clone, exec. Not PTRACE_O_EXITKILL: our death must not be the program's. */
enum { TRACE_OPTIONS = 1 | 1 << EVENT_FORK | 1 << EVENT_VFORK | 1 << EVENT_CLONE | 1 << EVENT_EXEC };

enum planted { PLANTED_NOTHING, PLANTED_ONE, PLANTED_ALL };

/* An address space; several processes share one between vfork and exec. */
struct space {
	struct space *next;
	int memory;            /* /proc/PID/mem */
	struct index *index;
	uint8_t *text;         /* the common text without breakpoints; NULL until first needed */
	enum planted planted;
	bool watched;          /* no call has changed its mappings since watch.h began, and none was missed */
};

struct process {
	struct process *next;
	int pid;
	struct space *space;
	bool gone;
	bool halted; /* SIGSTOP has been sent by us */
	bool was_stopped; /* before we came */
	bool guarded; /* see guard.h */
	bool borrows; /* its space is its parent's, who sleeps in vfork until it is given back */
};

enum stop {
	RUNNING,    /* not in a ptrace stop */
	STOPPED,    /* between two instructions of user mode, or on the way back to it */
	BREAKPOINT, /* at one of ours; pc is its address, the instruction there has not been executed */
	SIGNALLED,  /* a signal is about to be delivered */
	INSIDE,     /* in the middle of a system call */
	GONE,
};

enum verdict {
	UNSEEN,
	AT_SITE,         /* accepted */
	IN_CALL,         /* accepted: the system call is (re)issued when the thread goes on */
	NOT_A_SITE,
	CALL_IS_OVER,    /* behind the trap with a result */
	BORROWS_MEMORY,  /* stands well, but must not be stopped before its parent has its memory back */
	FRAME_UNKNOWN,   /* `culprit` is a return address that no site describes: a signal handler, foreign code */
	STACK_UNREADABLE,
};

struct thread {
	struct thread *next;
	struct process *process;
	int tid;
	enum stop stop;
	int signal;
	bool stepping;   /* a SIGTRAP that ends a single step is due */
	bool blocks_traps; /* it had SIGTRAP blocked, and has not for as long as breakpoints are planted */
	bool masked;     /* all but synchronous signals are blocked by us; `mask` is the thread's own mask */
	uint64_t mask;
	bool enters;     /* it stands before a system call */
	bool still;      /* let go, it will execute nothing but the call that it is in */
	bool forks;      /* by which it will make a process, which has a copy of its memory or borrows it */
	bool group_stop; /* the last stop was the process's group stop */
	enum verdict verdict;
	uint64_t pc, culprit;
	long depth;              /* frames */
	int rejections;          /* at breakpoints, because of undescribed frames, since it last stood well */
	int interruptions;       /* signals delivered in system calls */
	const struct site *site; /* where verdict is AT_SITE */
};

/*
 * What a thread is while it makes a call for us (remote.h): with this it can be put in order by another process. `tid` is 0 otherwise.
 */
struct call {
	int tid;
	bool masked; /* no more than that: the registers are its own, and it runs when nobody traces it */
	uint64_t mask;
	struct registers registers;
};

struct session {
	int root;
	int guardian;    /* the end of a pipe that it listens at; 0: none */
	struct call call;
	struct process *processes;
	struct thread *threads;
	struct space *spaces;
	long deadline;   /* on the clock of now() */
	int cancelled;   /* the signal that asks us to give up */
	uint64_t at;      /* 0, or where some thread must come first */
	uint64_t arrived; /* that address, once one has come */
	long count, hits; /* which stoppable site is meant, and how many the tree's threads have passed */
	long steps;      /* instructions stepped over */
	const char *error; /* kind and text of the first failure */
	char *message;
	int tid;         /* whom it concerns, or 0 */
	bool tracks;     /* a userfaultfd that a process has is ours (track.h) */
	const char *mappings; /* NULL, or the directory of watch.h */
	bool watches;
	long watched;    /* milliseconds for which the tree ran, traced, before it was stopped */
};

/* Records the first failure; false, for convenience. */
bool refuse(struct session *session, const char *error, int tid, const char *format, ...);

/* attach.c */

/* Attaches the whole tree and asks everything to stop. */
bool attach_tree(struct session *session);
/* Takes over a root process that the caller has attached and that stands in its exec event. */
bool adopt_root(struct session *session);

/* events.c */

/* Takes in what has happened; false if nothing has. */
bool take_in_events(struct session *session);
/* Takes in what happened; waits for it until `until` if nothing has. False on time-out or cancellation. */
bool wait_events(struct session *session, long until);

/* threads.c */

/* Blocks the signals that the tool waits for: SIGCHLD, and those that ask it to give up. */
void session_start(struct session *session, int root, long timeout);
extern const uint64_t awaited;
struct process *find_process(struct session *session, int pid);
struct process *add_process(struct session *session, int pid, struct space *space);
struct thread *add_thread(struct session *session, struct process *process, int tid);
/* Lets a stopped thread run (or step), with the signal that it has reported. */
void let_go(struct thread *thread, int request);
/* Puts the signal that a thread has reported back into its queue, or the process's; the thread stops again, with signals blocked. */
void defer_signal(struct thread *thread);
/*
 * Keeps signals from a stopped thread, and ends that. Until then they are pending, and the thread must execute no system call: it
 * could see or save our mask. So `let_go` makes it stop before one, and the mask is taken away there.
 */
void mask_signals(struct thread *thread);
void unmask_signals(struct thread *thread);
bool read_registers(const struct thread *thread, struct registers *registers);
bool write_registers(const struct thread *thread, const struct registers *registers);
struct thread *find_thread(struct session *session, int tid);
/* Whether a thread counts: it is alive and its process is. */
bool is_live(const struct thread *thread);

/* spaces.c: address spaces and breakpoints. */

/* The space of a process that is not known yet: that of a known one if they share it. NULL if it is ending, or after a failure. */
struct space *open_space(struct session *session, int pid);
/* The space of a new process: its parent's if they share it, else a copy with the breakpoints that were copied along. */
struct space *space_of_child(struct session *session, struct process *parent, int pid);
bool read_memory(const struct space *space, uint64_t address, void *to, size_t size);
/* Reads the text, and makes the one with breakpoints: what planting would else need memory for. */
bool prepare(struct session *session, struct space *space);
bool plant_one(struct session *session, struct space *space, uint64_t address);
bool plant_all(struct session *session, struct space *space);
bool unplant(struct session *session, struct space *space);
/* One breakpoint of many. */
bool take_away_at(struct session *session, struct space *space, uint64_t address);
bool put_back_at(struct session *session, struct space *space, uint64_t address);
/* Whether we may have put a breakpoint at an address. */
bool is_ours(const struct session *session, const struct space *space, uint64_t address);

/* control.c */

/* Stops every thread (of `space`, unless NULL). False if not all stopped before `until`. */
bool stop_all(struct session *session, const struct space *space, long until);
/*
 * Guards a process, all threads of which are stopped, and plants the breakpoints in its space, if they are not there; unless a child
 * borrows that, since nobody guards it.
 */
bool plant_process(struct session *session, struct process *process);
/* Stops all threads that could execute the breakpoints, and plants them. */
bool plant_later(struct session *session, struct process *process);
/* Lets a thread make a process that has none of our breakpoints: nobody could guard it before it is reported. */
bool fork_cleanly(struct session *session, struct thread *thread);
/* Executes the instruction under the breakpoint that a thread stands at. */
bool step_over(struct session *session, struct thread *thread);
/* Takes the breakpoints away for `time` ms while only this thread runs in its space. */
bool run_freely(struct session *session, struct thread *thread, long time);

/* unwind.c */

/* Judges where a stopped thread stands: sets verdict, pc, site, depth, culprit. */
void examine(struct thread *thread);
static inline bool is_accepted(const struct thread *thread)
{
	return thread->stop != RUNNING && (thread->verdict == AT_SITE || thread->verdict == IN_CALL);
}

/* pause.c */

/* Brings all threads to equivalence points, and leaves the tree stopped by SIGSTOP; or lets everything run on, and says why. */
bool pause_tree(struct session *session);
/* After a failure, or to give up: takes everything back and lets the tree run on. */
void roll_back(struct session *session);

/* halt.c */

/* Lets a group stop of a process begin, whose threads go on whenever they are continued; `thread`, which is stopped, takes it. */
bool hold_process(struct session *session, struct process *process, struct thread *thread);
/* Leaves each process group-stopped, with no instruction executed. */
bool halt_tree(struct session *session);

/* report.c */

/* Members "pc", "function", "offset", "resume" of an object; `index` may be NULL. */
void print_place(struct text *out, const struct index *index, uint64_t pc);
void print_threads(struct text *out, struct session *session, bool unaccepted_only);

#endif
