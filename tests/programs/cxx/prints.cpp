// A call with variable arguments that cannot throw past anything, and one that can, while an object is alive.
#include <cstdio>
struct Text {
	char letters[24];
	~Text() { letters[0] = 0; }
};
__attribute__((noinline)) static Text name() { return {"twenty-three characters"}; }
int main()
{
	{
		char other[50];
		std::snprintf(other, sizeof other, "%s", "first");
		std::printf("%s\n", other);
	}
	Text text = name();
	std::printf("%d %s\n", 7, text.letters);
}
