/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Registers have no neutral form; debuggers cannot migrate. */
