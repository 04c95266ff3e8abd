/* No struct of registers: those belong to one ISA. <linux/ptrace.h> needs the file. */
#pragma once
