/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* records MEGABYTES [random]: memory as servers have it, records with links, numbers and short texts; or bytes that do not pack. Waits until it is ended. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct record {
	struct record *next, *other;
	uint64_t expires;
	uint32_t size, kind;
	char name[24], value[72];
};

static uint64_t state = 1;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

int main(int argc, char **argv)
{
	size_t count = (strtoul(argv[1], NULL, 10) << 20) / sizeof(struct record);
	struct record *records = malloc(count * sizeof *records);
	for (size_t i = 0; i < count; i++) {
		struct record *one = &records[i];
		uint64_t number = next() % 1000000;
		if (argc > 2) {
			for (size_t word = 0; word < sizeof *one / 8; word++)
				((uint64_t *)one)[word] = next();
			continue;
		}
		*one = (struct record){ &records[(i + 1) % count], &records[next() % count], 1795900000000 + next() % 86400000, 40 + number % 30, number % 5 };
		snprintf(one->name, sizeof one->name, "user:%012lu", (unsigned long)number);
		snprintf(one->value, sizeof one->value, "%016lx%016lx:visits=%lu", (unsigned long)next(), (unsigned long)number * 7919, (unsigned long)(next() % 100));
	}
	puts("filled");
	fflush(stdout);
	for (;;)
		pause();
}
