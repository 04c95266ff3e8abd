/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "pthread_impl.h"

/* Resume records take up to twice the native depth of a stack, and programs ported from other libcs expect 8 MiB. */
unsigned __default_stacksize = 8 << 20;
unsigned __default_guardsize = DEFAULT_GUARD_SIZE;
