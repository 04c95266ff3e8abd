/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* crowd CHILDREN: they wait until it ends, and it computes until there is a file `go`; then it says what they have answered. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long turn(unsigned long sum)
{
	for (int i = 0; i < 100000; i++)
		sum = sum * 6364136223846793005u + (unsigned long)i;
	return sum;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 4, ends[2], status, answers = 0;
	unsigned long sum = 1;
	char word;
	if (pipe(ends))
		return 1;
	for (int i = 1; i <= count; i++)
		if (fork() == 0) {
			close(ends[1]);
			_exit(read(ends[0], &word, 1) == 0 ? i : 100);
		}
	printf("filled\n");
	fflush(stdout);
	while (access("go", F_OK))
		sum = turn(sum);
	close(ends[1]);
	while (wait(&status) > 0)
		answers += WEXITSTATUS(status);
	printf("%s\n", sum && answers == count * (count + 1) / 2 ? "right" : "wrong");
}
