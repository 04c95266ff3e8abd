/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See answer.h. */
#include "answer.h"

int report(struct text *out, int status)
{
	append(out, "\n", 1);
	return write_all(1, out->data, out->size) < 0 ? 1 : status;
}

void print_failure(struct text *out, const char *error, const char *message)
{
	print(out, "{\"ok\": false, \"error\": %j, \"message\": %j}", error, message);
}

int report_failure(const char *error, const char *message)
{
	struct text out = { 0 };
	print_failure(&out, error, message);
	return report(&out, 1);
}

int report_success(void)
{
	struct text out = { 0 };
	print(&out, "{\"ok\": true}");
	return report(&out, 0);
}
