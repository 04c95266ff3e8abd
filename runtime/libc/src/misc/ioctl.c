/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* ioctl, with the requests of sgtty.h, and without the older forms of requests that kernels before 5.1 need. */
#include <stdarg.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "sgtty_impl.h"
#include "syscall.h"

int ioctl(int fd, int request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	void *what = va_arg(arguments, void *);
	va_end(arguments);
	switch (request) {
	case TIOCGETP:
		return gtty(fd, what);
	case TIOCSETP:
		return __stty(fd, what, TCSAFLUSH);
	case TIOCSETN:
		return __stty(fd, what, TCSADRAIN);
	}
	return syscall(SYS_ioctl, fd, request, what);
}
