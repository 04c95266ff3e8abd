/*
 * Holds something that cannot move, or is in a state that cannot be stopped, and counts ten times a second.
 * Usage: victim [seccomp | open FILE | tcp | receiver | sender | uring | map ADDRESS | exec PROGRAM [ARG]... | packet | handler | fill MEGABYTES | orphan | shm | epoll]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void handler(int n) { (void)n; for (;;) { struct timespec t = {0, 10000000}; nanosleep(&t, 0); } }
static void check(int ok, const char *what) { if (!ok) { printf("%s: %s\n", what, strerror(errno)); exit(9); } }
static void tcp(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(4321), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
  check(!setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) && !bind(l, (void *)&a, sizeof a) && !listen(l, 1), "listen");
  check(!connect(c, (void *)&a, sizeof a), "connect");
  check(accept(l, 0, 0) >= 0, "accept");
}
static void datagrams(int (*attach)(int, const struct sockaddr *, socklen_t)) {
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0victim"};
  check(!attach(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&a, sizeof a), "unix socket");
}
/* A child for each of the parent's seconds; it has the parent's epoll set, but another file where one of the set's was. */
static void children(void) {
  int p[2], set = epoll_create1(0);
  check(set >= 0 && !pipe(p) && !epoll_ctl(set, EPOLL_CTL_ADD, p[0], &(struct epoll_event){.events = EPOLLIN}), "epoll");
  for (;;) {
    if (!fork()) { int null = open("/dev/null", O_RDWR); check(dup2(null, p[0]) >= 0, "dup2"); sleep(2); _exit(0); }
    printf("made in %d\n", getpid()); fflush(stdout);
    sleep(1);
    while (waitpid(-1, 0, WNOHANG) > 0) {}
  }
}
int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "seccomp")) {
    /* linux/filter.h, which is no part of a C library: one instruction, "return SECCOMP_RET_ALLOW". */
    struct { unsigned short code; unsigned char jt, jf; unsigned k; } f[] = {{6, 0, 0, 0x7fff0000}};
    struct { unsigned short length; void *filter; } p = {1, f};
    check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, 2, &p), "seccomp");
  } else if (!strcmp(what, "open")) check(open(argv[2], O_RDWR) >= 0 || open(argv[2], O_RDONLY) >= 0, argv[2]);
  else if (!strcmp(what, "tcp")) tcp();
  else if (!strcmp(what, "receiver")) datagrams(bind);
  else if (!strcmp(what, "sender")) datagrams(connect);
  else if (!strcmp(what, "semaphore")) check(eventfd(3, EFD_SEMAPHORE) >= 0, "eventfd");
  else if (!strcmp(what, "oneshot")) { int n = inotify_init(); check(inotify_add_watch(n, ".", IN_CREATE) > 0 && inotify_add_watch(n, "/", IN_CREATE | IN_ONESHOT) > 0, "inotify"); }
  else if (!strcmp(what, "uring")) { char p[120] = {0}; check(syscall(425, 4, p) >= 0, "io_uring"); }
  else if (!strcmp(what, "map")) check(mmap((void *)strtoul(argv[2], 0, 0), 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0) != MAP_FAILED, "mmap");
  else if (!strcmp(what, "exec")) { if (!fork()) { execv(argv[2], argv + 2); _exit(1); } }
  else if (!strcmp(what, "packet")) check(socket(17, SOCK_RAW, 0) >= 0, "packet");
  else if (!strcmp(what, "orphan")) { if (!fork()) { if (!fork()) { close(1); for (;;) pause(); } _exit(0); } wait(0); }
  else if (!strcmp(what, "handler")) { signal(SIGALRM, handler); alarm(1); }
  else if (!strcmp(what, "fill")) { size_t n = strtoul(argv[2], 0, 0) << 20; volatile char *p = malloc(n); check(!!p, "malloc"); for (size_t i = 0; i < n; i += 8) *(volatile unsigned long *)(p + i) = i * 0x9E3779B97F4A7C15ul; }
  printf("ready\n"); fflush(stdout);
  if (!strcmp(what, "epoll")) children();
  for (int i = 0;; i++) { struct timespec t = {0, 100000000}; nanosleep(&t, 0); printf("%d\n", i); fflush(stdout); }
}
