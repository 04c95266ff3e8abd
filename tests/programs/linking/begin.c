// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// In an archive, of which nobody wants anything but what runs before main.
#include "linking.h"

int pulled;
int wanted_by_its_name;
__attribute__((constructor)) static void begin(void) { pulled = work(5) | 1; }
