#include "stream.h"

long telldir(DIR *stream)
{
	return stream->next;
}
