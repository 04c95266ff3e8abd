// What differs between the kernels' ABIs: open flags, stat, epoll, semaphores, fork, pipes, signals with context, spawn, timers.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

extern char **environ;
static volatile int caught, code, masked;

static void handler(int sig) { caught += sig; }

static void informed(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	code = info->si_value.sival_int;
	masked = sigismember(&uc->uc_sigmask, SIGUSR1);
	sigaddset(&uc->uc_sigmask, SIGWINCH);
}

static void files(void)
{
	struct stat st;
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	printf("write %zd\n", write(fd, "abc", 3));
	fstat(fd, &st);
	printf("stat %d size %ld mode %o links %d\n", stat("file", &st), (long)st.st_size, st.st_mode & 0777, (int)st.st_nlink);
	printf("append %d\n", fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	printf("flags %o\n", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
	printf("directory %d\n", open("file", O_RDONLY | O_DIRECTORY) < 0 ? errno : 0);
	symlink("file", "link");
	printf("nofollow %d\n", open("link", O_RDONLY | O_NOFOLLOW) < 0 ? errno : 0);
	printf("directory %d\n", open(".", O_RDONLY | O_DIRECTORY) >= 0);
	struct { unsigned long long flags, mode, resolve; } how = { O_RDONLY | O_DIRECTORY, 0, 0 };
	long r = syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how);
	printf("openat2 %d\n", r < 0 && (errno == ENOTDIR || errno == ENOSYS));
	close(fd);
}

static void events(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], q[2];
	struct epoll_event out[4], in = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 };
	pipe2(p, O_NONBLOCK);
	pipe(q);
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &in);
	in.data.u64 = 99;
	epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &in);
	write(p[1], "x", 1);
	write(q[1], "y", 1);
	int n = epoll_wait(ep, out, 4, 1000);
	unsigned long long total = 0;
	for (int i = 0; i < n; i++) total += out[i].data.u64;
	printf("epoll %d %llx %d\n", n, total, epoll_wait(epoll_create1(0), out, 4, 1));
	printf("nonblocking %d\n", (fcntl(p[0], F_GETFL) & O_NONBLOCK) != 0);
	struct pollfd fds = { .fd = q[0], .events = POLLIN };
	printf("poll %d %d\n", poll(&fds, 1, 100), fds.revents == POLLIN);
}

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600);
	if (id < 0) return;
	struct semid_ds ds = { 0 };
	union { int val; struct semid_ds *buf; } arg = { .buf = &ds };
	int r = semctl(id, 0, IPC_STAT, arg);
	/* qemu's user-mode emulation lacks some of it */
	if (!r && (ds.sem_nsems != 3 || (ds.sem_perm.mode & 0777) != 0600)) puts("semctl is wrong");
	semctl(id, 0, IPC_RMID, arg);
}

static void signals(void)
{
	struct sigaction sa = { .sa_handler = handler }, old;
	sigaction(SIGUSR1, &sa, 0);
	raise(SIGUSR1);
	sigset_t set, now;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, 0);
	sa = (struct sigaction){ .sa_sigaction = informed, .sa_flags = SA_SIGINFO };
	sigaction(SIGUSR2, &sa, 0);
	sigaction(SIGUSR2, 0, &old);
	printf("handler %d flags %x\n", old.sa_sigaction == informed, old.sa_flags);
	sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 1234 });
	sigprocmask(SIG_BLOCK, 0, &now);
	printf("caught %d code %d masked %d changed %d\n", caught, code, masked, sigismember(&now, SIGWINCH));
	stack_t stack = { .ss_sp = malloc(SIGSTKSZ), .ss_size = SIGSTKSZ };
	printf("altstack %d\n", sigaltstack(&stack, 0));
	sa.sa_flags |= SA_ONSTACK;
	sigaction(SIGUSR2, &sa, 0);
	sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 77 });
	printf("code %d\n", code);
}

static void processes(void)
{
	int p[2], status;
	char text[32] = "";
	pipe(p);
	fflush(stdout);
	pid_t child = fork();
	if (!child) {
		write(p[1], "child", 6);
		_exit(33);
	}
	read(p[0], text, sizeof text);
	waitpid(child, &status, 0);
	printf("fork %d %s\n", WEXITSTATUS(status), text);
	child = vfork();
	if (!child) _exit(44);
	waitpid(child, &status, 0);
	printf("vfork %d\n", WEXITSTATUS(status));
	char *arguments[] = { "sh", "-c", "exit 3", 0 };
	printf("spawn %d", posix_spawn(&child, "/bin/sh", 0, 0, arguments, environ));
	waitpid(child, &status, 0);
	printf(" %d\n", WEXITSTATUS(status));
	FILE *pipe = popen("echo from sh", "r");
	fgets(text, sizeof text, pipe);
	printf("popen %s", text);
	pclose(pipe);
}

int main(void)
{
	files();
	events();
	semaphores();
	signals();
	processes();
	struct timespec request = { 0, 1000000 }, rest = { 7, 7 };
	printf("sleep %d %d\n", clock_nanosleep(CLOCK_MONOTONIC, 0, &request, &rest), (int)rest.tv_sec);
	struct rlimit limit;
	printf("limit %d\n", getrlimit(RLIMIT_NOFILE, &limit));
	int local;
	printf("low stack %d\n", (unsigned long)&local < 1UL << 47);
	void *map = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("low map %d\n", (unsigned long)map < 1UL << 47);
	char name[256] = "";
	FILE *cmdline = fopen("/proc/self/comm", "r");
	printf("comm %d\n", cmdline && fgets(name, sizeof name, cmdline) != 0);
	puts("done");
	return 0;
}
