/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* gtty and stty, tty(4) of 4.3BSD, over termios: only what a program changes of the old state is changed in the new one. */
#define _BSD_SOURCE
#include <sgtty.h>
#include <termios.h>
#include "sgtty_impl.h"

#define FASTEST B38400 /* what fits; also says that it is faster */

static struct sgttyb old_of(const struct termios *now)
{
	speed_t speed = cfgetospeed(now);
	int flags = now->c_lflag & ECHO;
	if (speed > FASTEST) speed = FASTEST;
	if (now->c_iflag & IXOFF) flags |= TANDEM;
	if (now->c_iflag & ICRNL) flags |= CRMOD;
	if (!(now->c_lflag & ICANON)) flags |= now->c_lflag & ISIG ? CBREAK : RAW;
	if (!(now->c_cflag & PARENB)) flags |= ANYP;
	else flags |= now->c_cflag & PARODD ? ODDP : EVENP;
	return (struct sgttyb){ speed, speed, now->c_cc[VERASE], now->c_cc[VKILL], flags };
}

int gtty(int fd, struct sgttyb *state)
{
	struct termios now;
	if (tcgetattr(fd, &now)) return -1;
	*state = old_of(&now);
	return 0;
}

static void choose(tcflag_t *flags, tcflag_t which, int on)
{
	*flags = on ? *flags | which : *flags & ~which;
}

int __stty(int fd, const struct sgttyb *state, int when)
{
	struct termios now;
	if (tcgetattr(fd, &now)) return -1;
	struct sgttyb was = old_of(&now);
	int flags = state->sg_flags, changed = flags ^ was.sg_flags, raw = flags & RAW;
	choose(&now.c_lflag, ECHO, flags & ECHO);
	choose(&now.c_iflag, IXOFF, flags & TANDEM);
	if (changed & CRMOD) {
		choose(&now.c_iflag, ICRNL, flags & CRMOD);
		choose(&now.c_oflag, ONLCR, flags & CRMOD);
	}
	if (changed & RAW) {
		choose(&now.c_lflag, ISIG | IEXTEN, !raw);
		choose(&now.c_iflag, IXON, !raw);
		choose(&now.c_oflag, OPOST, !raw);
	}
	if (changed & (RAW | CBREAK)) {
		choose(&now.c_lflag, ICANON, !(flags & (RAW | CBREAK)));
		now.c_cc[VMIN] = 1;
		now.c_cc[VTIME] = 0;
	}
	if (changed & ANYP) {
		choose(&now.c_cflag, PARENB, (flags & ANYP) == ODDP || (flags & ANYP) == EVENP);
		choose(&now.c_cflag, PARODD, (flags & ANYP) == ODDP);
	}
	now.c_cc[VERASE] = state->sg_erase;
	now.c_cc[VKILL] = state->sg_kill;
	if (state->sg_ospeed != was.sg_ospeed) cfsetospeed(&now, state->sg_ospeed);
	return tcsetattr(fd, when, &now);
}

int stty(int fd, const struct sgttyb *state)
{
	return __stty(fd, state, TCSAFLUSH);
}
