/*
 * counter COUNT STATUS [WAIT]: prints the numbers below COUNT, some of them on standard error, copies its input, writes the last number to
 * a file, and exits with STATUS, or dies of signal -STATUS. With WAIT it stands still in the middle until SIGUSR2 tells it to go on. At
 * SIGTERM it goes on to its end if STATUS is 99, else it dies of it as most programs do.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t told;

static void tell(int signal)
{
	told = signal;
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 10, status = argc > 2 ? atol(argv[2]) : 0;
	int waits = argc > 3 && strcmp(argv[3], "wait") == 0;
	char *line = NULL;
	size_t size = 0;
	signal(SIGUSR2, tell);
	if (status == 99)
		signal(SIGTERM, tell);
	for (long n = 0; n < count; n++) {
		fprintf(n % 10 == 3 ? stderr : stdout, "%ld\n", n);
		fflush(stdout);
		while (waits && n == count / 2 && !told)
			usleep(2000);
	}
	while (getline(&line, &size, stdin) > 0)
		printf("read %s", line);
	FILE *file = fopen("last", "w");
	fprintf(file, "%ld\n", count);
	fclose(file);
	printf("pi is %.17g, I am %s\n", 3.0 + count / 7.0, getuid() ? "a user" : "root");
	fflush(stdout);
	if (status < 0)
		raise((int)-status);
	return (int)status;
}
