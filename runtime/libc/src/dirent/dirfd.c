#include "stream.h"

int dirfd(DIR *stream)
{
	return stream->fd;
}
