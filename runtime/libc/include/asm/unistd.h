/* The numbers of <sys/syscall.h>: those that can be used on both ISAs. */
#pragma once
#include <bits/syscall.h>
