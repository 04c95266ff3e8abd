/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Works in a root directory of its own, in which there is no /proc, until there is a file `go`; see test_rooted.py. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
	if (mkdir("root", 0700) || mkdir("root/inner", 0700) || chroot("root") || chdir("/inner"))
		return 1;
	puts("begun");
	fflush(stdout);
	unsigned long turns = 0;
	while (access("go", F_OK))
		turns++;
	puts(turns ? "done" : "never turned");
	return 0;
}
