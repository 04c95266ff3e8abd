/* Variables that lie in memory, of all kinds of types. With an argument it says so where all of them have their values, and waits for a file. */
#include <complex.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum color { RED = -1, GREEN = 5 };
union word { int whole; unsigned char bytes[4]; };
struct node { struct node *next; const char *name; double weight; enum color color; unsigned low : 3; int high : 5; union word word; };

static const volatile void *volatile kept;
static int waits;

__attribute__((noinline)) static void use(int count, const volatile void *const *pointers)
{
	while (count--)
		kept = pointers[count];
}

#define USE(...) use(sizeof (const void *[]){__VA_ARGS__} / 8, (const volatile void *const[]){__VA_ARGS__})

__attribute__((noinline)) static void wait_here(void)
{
	int turn = 7;
	puts("here");
	fflush(stdout);
	USE(&turn);
	while (waits && access("go", F_OK))
		usleep(20000);
}

static inline void inlined(int times)
{
	long squares[20];
	for (int i = 0; i < 20; i++)
		squares[i] = (long)i * i * times;
	USE(squares);
	wait_here();
	USE(squares);
}

__attribute__((noinline)) static void types(int count)
{
	struct node node = {&node, "first", 2.5, RED, 5, -3, {0x01020304}};
	char text[] = "say \"hi\"", letter = 'x';
	char table[3][4] = {"abc", "de", "f"};
	bool yes = true;
	float small = 0.5f;
	double _Complex both = 1 + 2 * I;
	void (*function)(void) = wait_here;
	_Alignas(128) unsigned short aligned[3] = {1, 2, 65535};
	long many[count];
	for (int i = 0; i < count; i++)
		many[i] = 3 - i;
	USE(&node, text, &letter, table, &yes, &small, &both, &function, aligned, many);
	inlined(count);
	USE(&node, text, &letter, table, &yes, &small, &both, &function, aligned, many);
}

__attribute__((noinline)) static void places(int first)
{
	if (first) {
		char one[32] = "one";
		USE(one);
		types(first);
		USE(one);
	} else {
		char two[32] = "two";
		USE(two);
		types(first);
		USE(two);
	}
}

int main(int argc, char **argv)
{
	waits = argc > 1;
	places(argc + 9);
	printf("%s\n", kept ? argv[0] : "");
	return 0;
}
