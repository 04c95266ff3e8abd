/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* With sites: an exception's destructor is a program's own code. */
#include <unwind.h>

void _Unwind_DeleteException(struct _Unwind_Exception *e)
{
	if (e->exception_cleanup) e->exception_cleanup(_URC_FOREIGN_EXCEPTION_CAUGHT, e);
}
