// sgtty.h: terminals as 4.3BSD had them, seen through termios; and its signal masks.
#define _GNU_SOURCE
#include <sgtty.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int terminal;

static struct termios now(void)
{
	struct termios state;
	if (tcgetattr(terminal, &state)) exit(1);
	return state;
}

static int equal(const struct termios *a, const struct termios *b)
{
	return a->c_lflag == b->c_lflag && a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
		!memcmp(a->c_cc, b->c_cc, VEOL2 + 1); // the kernel writes no more
}

static void show(const char *what)
{
	struct termios state = now();
	struct sgttyb old;
	if (gtty(terminal, &old)) exit(2);
	printf("%s: %#x, erase %d, kill %d, speed %d; c_lflag %#x, c_iflag %#x, c_oflag %#x\n", what, (unsigned)old.sg_flags, old.sg_erase,
		old.sg_kill, old.sg_ospeed, state.c_lflag, state.c_iflag, state.c_oflag);
}

static void with(const char *what, int on, int off)
{
	struct sgttyb state;
	if (ioctl(terminal, TIOCGETP, &state)) exit(3);
	state.sg_flags = (state.sg_flags | on) & ~off;
	if (stty(terminal, &state)) exit(4);
	show(what);
}

int main(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master)) return 5;
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (terminal < 0) return 6;

	struct termios first = now();
	show("new");
	with("the same", 0, 0);
	struct termios same = now();
	if (!equal(&first, &same)) return 7;
	with("no echo", 0, ECHO);
	if (now().c_lflag & ECHO) return 8;
	with("at once", CBREAK, 0);
	if (now().c_lflag & ICANON || !(now().c_lflag & ISIG)) return 9;
	with("raw", RAW, CBREAK);
	if (now().c_lflag & (ICANON | ISIG) || now().c_oflag & OPOST) return 10;
	with("cooked", ECHO, RAW);
	same = now();
	if (!equal(&first, &same)) return 11;

	struct sgttyb state;
	if (ioctl(terminal, TIOCGETP, &state)) return 12;
	state.sg_erase = 'x';
	state.sg_ospeed = state.sg_ispeed = B9600;
	if (ioctl(terminal, TIOCSETN, &state)) return 13;
	show("erase x");
	struct termios last = now();
	if (last.c_cc[VERASE] != 'x' || cfgetospeed(&last) != B9600) return 14;
	struct pollfd arrived = {terminal, POLLIN, 0};
	if (write(master, "a line\n", 7) != 7 || poll(&arrived, 1, 10000) != 1) return 15;
	if (ioctl(terminal, TIOCSETP, &state)) return 15; // which drops it
	if (fcntl(terminal, F_SETFL, O_NONBLOCK) || read(terminal, &state, 1) != -1 || errno != EAGAIN) return 16;

	int file = open("/dev/null", O_RDWR);
	printf("%d, %d\n", gtty(file, &state), errno == ENOTTY);
	printf("%d, %d\n", ioctl(file, TIOCSETP, &state), errno == ENOTTY);

	int before = sigblock(sigmask(SIGUSR1));
	printf("%#x, %#x, ", before, siggetmask());
	printf("%#x, ", sigsetmask(sigmask(SIGUSR2) | sigmask(SIGTTOU)));
	printf("%#x\n", sigsetmask(before));
	puts("done");
	return 0;
}
