// Algorithms with an execution policy, of which libc++ has these with -fexperimental-library: they do what those without one do.
#include <algorithm>
#include <cstdio>
#include <execution>
#include <numeric>
#include <vector>
static void scramble(unsigned &value) { value = value * 2654435761u >> 12; }
static unsigned square(unsigned value) { return value * value; }
int main()
{
	std::vector<unsigned> one(100000), other;
	std::iota(one.begin(), one.end(), 1u);
	other = one;
	std::for_each(std::execution::par, one.begin(), one.end(), scramble);
	std::for_each(other.begin(), other.end(), scramble);
	std::sort(std::execution::par_unseq, one.begin(), one.end());
	std::sort(other.begin(), other.end());
	unsigned sum = std::transform_reduce(std::execution::par, one.begin(), one.end(), 7u, std::plus<>(), square);
	unsigned expected = std::transform_reduce(other.begin(), other.end(), 7u, std::plus<>(), square);
	bool same = one == other && sum == expected && std::is_sorted(one.begin(), one.end());
	std::printf("%s %u\n", same ? "same" : "different", one.front() != one.back());
}
