/*
 * What a program notices of time and of files beyond its directory: `witness READ APPEND` keeps both files open, and prints a line every
 * 5 ms, to the second file as well: its number, milliseconds of CLOCK_MONOTONIC and of processor time, how often an interval timer of
 * 20 ms has struck, and the first word of the first file.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;

static void count(int number)
{
	(void)number;
	alarms++;
}

static long milliseconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	FILE *in = argc > 2 ? fopen(argv[1], "r") : NULL, *out = argc > 2 ? fopen(argv[2], "a") : NULL;
	if (!in || !out)
		return 1;
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } };
	signal(SIGALRM, count);
	setitimer(ITIMER_REAL, &every, NULL);
	for (long n = 0; access("stop", F_OK); n++) {
		char word[100] = "";
		for (volatile int i = 0; i < 100000; i++)
			;
		rewind(in);
		if (fscanf(in, "%99s", word) != 1)
			return 2;
		printf("%ld %ld %ld %ld %s\n", n, milliseconds(CLOCK_MONOTONIC), milliseconds(CLOCK_PROCESS_CPUTIME_ID), (long)alarms, word);
		fprintf(out, "%ld\n", n);
		fflush(stdout);
		fflush(out);
		usleep(5000);
	}
	puts("end");
	return 0;
}
