/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "stream.h"

int dirfd(DIR *stream)
{
	return stream->fd;
}
