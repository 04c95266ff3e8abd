/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdlib.h>
#include <unistd.h>
#include "stream.h"

int closedir(DIR *stream)
{
	int result = close(stream->fd);
	__forget_names(stream);
	free(stream);
	return result;
}
