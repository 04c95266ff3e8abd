/*
 * Asks for the device and inode numbers of a file, by descriptor, path and directory, again and again until there is a file `stop`; prints "looks" when it
 * has begun. Fails if they ever are others.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct stat first;

static int differs(int result, const struct stat *status)
{
	if (!result && status->st_dev == first.st_dev && status->st_ino == first.st_ino)
		return 0;
	fprintf(stderr, "was %#lx:%lu, is %#lx:%lu\n", (long)first.st_dev, (long)first.st_ino, (long)status->st_dev, (long)status->st_ino);
	return 1;
}

int main(void)
{
	int file = open("file", O_CREAT | O_RDWR, 0600), directory = open(".", O_DIRECTORY);
	struct stat status;
	if (file < 0 || directory < 0 || fstat(file, &first) < 0)
		return 2;
	printf("looks\n");
	fflush(stdout);
	while (access("stop", F_OK) < 0)
		for (int i = 0; i < 1000; i++)
			if (differs(fstat(file, &status), &status) || differs(stat("file", &status), &status) || differs(fstatat(directory, "file", &status, 0), &status))
				return 1;
	return 0;
}
