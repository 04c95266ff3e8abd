/* A file of a time zone is read, and not mapped: a process that has asked for the local time does not depend on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME "zone-of-test"

/* TZif, version 2 (RFC 8536, section 3), without transitions: UTC + 1 h, "XYZ", in both forms and as the rule for later times. */
#define HEADER "TZif2" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\1" "\0\0\0\4"
#define TYPE "\0\0\16\20" "\0" "\0" "XYZ\0"
static const char zone[] = HEADER TYPE HEADER TYPE "\nXYZ-1\n";

static void show(const char *tz)
{
	time_t when = 86400;
	setenv("TZ", tz, 1);
	struct tm *local = localtime(&when);
	printf("%s: %d h, %s\n", tz, local->tm_hour, local->tm_zone);
}

static void create(const char *name, const void *data, size_t size)
{
	FILE *file = fopen(name, "w");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file)) exit(1);
}

int main(void)
{
	char line[512];
	create(NAME, zone, sizeof zone - 1);
	create(NAME "-empty", "", 0);
	show("./" NAME);
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, NAME)) return 1;
	show("./" NAME "-empty");
	show("./" NAME "-absent");
	puts("done");
	return !maps;
}
