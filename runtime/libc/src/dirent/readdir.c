/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "syscall.h"
#include "stream.h"
#include <transproc/args.h>

#define FIRST_ROOM 32768 /* as much as other C libraries ask for at a time: most directories fit */

struct names {
	char *records;
	size_t size, room;
};

void __forget_names(DIR *stream)
{
	free(stream->records);
	free(stream->offsets);
	stream->records = 0;
	stream->offsets = 0;
	stream->count = stream->next = 0;
	stream->loaded = 0;
}

/* Both return 0, or an error number. */
static int make_room(struct names *names)
{
	size_t room = names->room ? 2 * names->room : FIRST_ROOM;
	char *records = realloc(names->records, room);
	if (!records) return ENOMEM;
	names->records = records;
	names->room = room;
	return 0;
}

static int read_names(int fd, struct names *names)
{
	names->size = 0;
	for (;;) {
		if (names->room - names->size < FIRST_ROOM / 2 && make_room(names)) return ENOMEM;
		long got = __syscall(SYS_getdents64, fd, names->records + names->size, names->room - names->size);
		if (got == 0 || got == -ENOENT) return 0; /* the latter: the directory has been removed */
		if (got < 0) return -got;
		names->size += got;
	}
}

static int index_names(DIR *stream, const struct names *names)
{
	size_t count = 0, at;
	for (at = 0; at < names->size; at += ((struct dirent *)(names->records + at))->d_reclen) count++;
	size_t *offsets = malloc((count + 1) * sizeof *offsets);
	if (!offsets) return ENOMEM;
	for (at = count = 0; at < names->size; count++) {
		struct dirent *entry = (void *)(names->records + at);
		offsets[count] = at;
		entry->d_off = count + 1;
		at += entry->d_reclen;
	}
	stream->offsets = offsets;
	stream->count = count;
	return 0;
}

/* A migration while it reads leaves the descriptor at a position that means nothing any more: it begins again. In the end the descriptor is
 * at the directory's begin, which every file system has. */
static int load(DIR *stream)
{
	struct names names = { 0 };
	uint64_t moves;
	int error;
	do {
		moves = __transproc_moves();
		error = read_names(stream->fd, &names);
		__syscall(SYS_lseek, stream->fd, 0, SEEK_SET);
	} while (moves != __transproc_moves());
	if (!error) error = index_names(stream, &names);
	if (error) {
		free(names.records);
		return error;
	}
	char *exact = realloc(names.records, names.size + 1);
	stream->records = exact ? exact : names.records;
	stream->loaded = 1;
	return 0;
}

struct dirent *readdir(DIR *stream)
{
	int error = stream->loaded ? 0 : load(stream);
	if (error) {
		errno = error;
		return 0;
	}
	if (stream->next >= stream->count) return 0;
	return (void *)(stream->records + stream->offsets[stream->next++]);
}
