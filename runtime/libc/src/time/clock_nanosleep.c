#include <errno.h>
#include <time.h>
#include "syscall.h"

/* The request is also where the kernel writes the time that remains when it interrupts the sleep: so the call can be issued again, with
 * the same arguments, after a migration, and ends when it should. */
int __clock_nanosleep(clockid_t clk, int flags, const struct timespec *req, struct timespec *rem)
{
	if (clk == CLOCK_THREAD_CPUTIME_ID) return EINVAL;
	struct timespec left = *req;
	int r = __syscall_cp(SYS_clock_nanosleep, clk, flags, &left, &left);
	if (r == -EINTR && rem && !(flags & TIMER_ABSTIME)) *rem = left;
	return -r;
}

weak_alias(__clock_nanosleep, clock_nanosleep);
