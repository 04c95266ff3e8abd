/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <string.h>
#include "lock.h"
#include "stream.h"

int readdir_r(DIR *restrict stream, struct dirent *restrict room, struct dirent **restrict result)
{
	int before = errno;
	LOCK(stream->lock);
	errno = 0;
	struct dirent *entry = readdir(stream);
	int error = errno;
	errno = before;
	if (entry) memcpy(room, entry, entry->d_reclen);
	UNLOCK(stream->lock);
	*result = entry ? room : 0;
	return error;
}
