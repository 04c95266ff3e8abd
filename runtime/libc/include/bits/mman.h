/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* nothing beyond the generic constants is common to all ISAs */
