#include <math.h>

double (sqrt)(double x)
{
	return sqrt(x);
}
