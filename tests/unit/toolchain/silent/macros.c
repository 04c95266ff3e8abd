#define _GNU_SOURCE
#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <tgmath.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

void use(long);
void control(struct msghdr *m) {
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		use((long)(CMSG_SPACE(sizeof(int)) + CMSG_LEN(sizeof(int)) + *CMSG_DATA(c)));
}
void sets(fd_set *s, int fd) {
	FD_ZERO(s); FD_SET(fd, s); FD_CLR(fd, s); use(FD_ISSET(fd, s));
}
void status(int s, mode_t m) {
	use(WIFEXITED(s) + WEXITSTATUS(s) + WIFSIGNALED(s) + WTERMSIG(s) + WIFSTOPPED(s) + WSTOPSIG(s) + WIFCONTINUED(s) + WCOREDUMP(s));
	use(S_ISREG(m) + S_ISDIR(m) + S_ISLNK(m) + S_ISCHR(m) + S_ISBLK(m) + S_ISFIFO(m) + S_ISSOCK(m));
}
void numbers(dev_t d) {
	use(major(d)); use(minor(d)); d = makedev(8, 1); use((long)d);
}
void cpus(cpu_set_t *s, size_t n) {
	CPU_ZERO(s); CPU_SET(1, s); CPU_SET(n, s); CPU_CLR(1, s); use(CPU_ISSET(1, s) + CPU_COUNT(s) + CPU_EQUAL(s, s)); use(CPU_ALLOC_SIZE(4) != 0);
	int i = 3; CPU_SET(i, s); CPU_CLR(i, s); use(CPU_ISSET(i, s));
}
void times(struct timeval *a, struct timeval *b) {
	use(timerisset(a)); timerclear(a); use(timercmp(a, b, <)); timeradd(a, b, a); timersub(a, b, a);
}
void addresses(struct in6_addr *a, in_addr_t i) {
	use(IN6_IS_ADDR_UNSPECIFIED(a) + IN6_IS_ADDR_LOOPBACK(a) + IN6_IS_ADDR_V4MAPPED(a) + IN6_IS_ADDR_LINKLOCAL(a) + IN6_IS_ADDR_MULTICAST(a) + IN6_ARE_ADDR_EQUAL(a, a) + IN6_IS_ADDR_V4COMPAT(a) + IN6_IS_ADDR_SITELOCAL(a) + IN6_IS_ADDR_MC_GLOBAL(a));
	use(IN_CLASSA(i) + IN_CLASSB(i) + IN_CLASSC(i) + IN_MULTICAST(i) + IN_EXPERIMENTAL(i));
	struct icmp6_filter f; ICMP6_FILTER_SETBLOCKALL(&f); ICMP6_FILTER_SETPASS(3, &f); use(ICMP6_FILTER_WILLPASS(3, &f));
	use(htons(3) + ntohs(4)); use((long)htonl(3) + (long)ntohl(4));
}
int floats(double d, float f) {
	return isnan(d) + isinf(f) + isfinite(d) + isnormal(f) + signbit(d) + fpclassify(f) + isless(d, 1.0) + isgreater(f, 1.0f) + isunordered(d, d) + (d < (double)INFINITY) + (d < HUGE_VAL) + isnan(NAN);
}
double general(double d, float f) { return sqrt(d) + (double)sin(f) + pow(d, 2.0) + fabs(d) + round(d); }
int letters(int c, char s) { return isalpha(c) + isdigit(c) + isspace(c) + isupper(c) + islower(c) + isprint(c) + isgraph(c) + isdigit((unsigned char)s) + isascii(c) + toascii(c); }
int wide(wint_t c) { return iswdigit(c) != 0; }
int jumps(void) { jmp_buf b; sigjmp_buf s; return setjmp(b) + sigsetjmp(s, 1); }
void signals(sigset_t *s, int n) {
	sigemptyset(s); sigaddset(s, n); use(n < SIGRTMIN || n > SIGRTMAX); signal(SIGUSR1, SIG_IGN); if (signal(SIGUSR1, SIG_DFL) == SIG_ERR) use(NSIG);
}
long misc(struct sockaddr_un *u, int x, size_t n) {
	assert(x > 0); assert(n); assert(u);
	return (long)offsetof(struct sockaddr_un, sun_path) + (long)SUN_LEN(u) + MAX(x, 3) + MIN(x, 3) + (long)howmany(n, 8) + (long)roundup(n, 8) + powerof2(x) + errno;
}
long limits(void) { return (long)(INT64_C(3) + UINT16_C(4) + INT8_MAX + SIZE_MAX + UINT64_C(5) + WCHAR_MAX); }
int variable(const char *f, ...) { va_list a, b; va_start(a, f); va_copy(b, a); int i = va_arg(a, int); va_end(a); va_end(b); return i; }
void threads(void) { pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; pthread_cond_t c = PTHREAD_COND_INITIALIZER; pthread_once_t o = PTHREAD_ONCE_INIT; pthread_rwlock_t r = PTHREAD_RWLOCK_INITIALIZER; use(m.__u.__i[0] + c.__u.__i[0] + o + r.__u.__i[0]);
 pthread_cleanup_push(free, NULL); pthread_cleanup_pop(1); }
unsigned long requests(void) { return _IOR('a', 1, int) + _IOW('a', 2, long) + _IO('a', 3) + (unsigned long)TIOCGWINSZ; }
int files(void) { return getc(stdin) + putc('a', stdout) + BUFSIZ + EOF + L_tmpnam + (int)(sizeof *(char*)0); }
