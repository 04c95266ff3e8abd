/*
 * Talks with whoever sits at its terminal. Each line is answered by what the program sees of the terminal; some lines are commands:
 * echo off | tty (opens /dev/tty, and answers there from then on) | child (a child in front takes the next line) | end
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts, sizes;
static int out = 1;

static void note(int number)
{
	if (number == SIGINT)
		interrupts++;
	else
		sizes++;
}

static void answer(const char *who, const char *line)
{
	struct winsize window = { 0 };
	struct termios settings = { 0 };
	ioctl(0, TIOCGWINSZ, &window);
	tcgetattr(0, &settings);
	dprintf(out, "%s [%s] %dx%d echo %d front %d leader %d interrupts %d\n", who, line, window.ws_row, window.ws_col,
		!!(settings.c_lflag & ECHO), tcgetpgrp(0) == getpgrp(), getsid(0) == getpid(), interrupts);
}

/* False at the end of input. A signal does not end the wait (SA_RESTART). */
static int read_line(char *line, size_t size)
{
	ssize_t count = read(0, line, size - 1);
	if (count <= 0)
		return 0;
	line[count] = 0;
	line[strcspn(line, "\n")] = 0;
	return 1;
}

static void let_child_talk(void)
{
	char line[100];
	pid_t child = fork();
	setpgid(child, child);
	if (child == 0) {
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(0, getpid());
		answer("child", "ready");
		if (read_line(line, sizeof line))
			answer("child", line);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(0, getpgrp());
	answer("parent", "back");
}

int main(void)
{
	char line[100];
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGWINCH, &action, NULL);
	answer("parent", "ready");
	while (read_line(line, sizeof line) && strcmp(line, "end")) {
		if (!strcmp(line, "echo off")) {
			struct termios settings;
			tcgetattr(0, &settings);
			settings.c_lflag &= ~ECHO;
			tcsetattr(0, TCSANOW, &settings);
		} else if (!strcmp(line, "tty")) {
			out = open("/dev/tty", O_RDWR);
		} else if (!strcmp(line, "child")) {
			let_child_talk();
			continue;
		}
		answer("parent", line);
	}
	dprintf(out, "end, %s\n", sizes ? "resized" : "never resized");
	return 7;
}
