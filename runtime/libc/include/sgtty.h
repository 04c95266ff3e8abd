/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Terminals as 4.3BSD had them, tty(4): what older programs include where the system is not System V. Done by termios. */
#ifndef _SGTTY_H
#define _SGTTY_H

#include <sys/ioctl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Speeds as in termios.h (B9600); characters that erase one, and a line; flags. */
struct sgttyb {
	char sg_ispeed, sg_ospeed;
	char sg_erase, sg_kill;
	short sg_flags;
};

#define TANDEM 0x01 /* input is stopped when there is too much of it */
#define CBREAK 0x02 /* each character at once; signals as ever */
#define LCASE  0x04
#ifndef ECHO
#define ECHO   0x08 /* the same number as in termios.h */
#endif
#define CRMOD  0x10 /* carriage return is newline; newline is printed as both */
#define RAW    0x20 /* each character at once, nothing has a meaning */
#define ODDP   0x40
#define EVENP  0x80
#define ANYP   (ODDP | EVENP)

/* Requests of ioctl; in another file's numbers (mips has them), which Linux does not know. */
#define TIOCGETP 0x7408
#define TIOCSETP 0x7409 /* drops what was typed and not read */
#define TIOCSETN 0x740a

int gtty(int, struct sgttyb *);
int stty(int, const struct sgttyb *);

#ifdef __cplusplus
}
#endif

#endif
