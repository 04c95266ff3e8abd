/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <unistd.h>
#include "lock.h"
#include "syscall.h"
#include "stream.h"

void rewinddir(DIR *stream)
{
	LOCK(stream->lock);
	__syscall(SYS_lseek, stream->fd, 0, SEEK_SET);
	__forget_names(stream);
	UNLOCK(stream->lock);
}
