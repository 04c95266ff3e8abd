/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef SGTTY_IMPL_H
#define SGTTY_IMPL_H

#include <features.h>
#include <sgtty.h>

/* stty, at once or when what was written is printed: `when` is as tcsetattr has it. */
hidden int __stty(int, const struct sgttyb *, int);

#endif
