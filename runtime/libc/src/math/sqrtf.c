#include <math.h>

float (sqrtf)(float x)
{
	return sqrtf(x);
}
