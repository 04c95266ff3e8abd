// What plain `new` must align, what it does align, and how often the aligned one is called.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

static int called;

void *operator new(std::size_t size, std::align_val_t alignment) {
    ++called;
    return std::aligned_alloc(static_cast<std::size_t>(alignment), size);
}

void operator delete(void *place, std::align_val_t) noexcept { std::free(place); }

struct alignas(std::max_align_t) Most {
    char bytes[16];
};

struct alignas(2 * alignof(std::max_align_t)) More {
    char bytes[32];
};

int main() {
    for (std::size_t size = 16; size < 5000; ++size) {
        void *volatile place = ::operator new(size);
        if (reinterpret_cast<std::uintptr_t>(place) % alignof(std::max_align_t))
            return 1;
        ::operator delete(place);
    }
    Most *volatile most = new Most;
    delete most;
    More *volatile more = new More;
    delete more;
    std::printf("%zu %d\n", static_cast<std::size_t>(__STDCPP_DEFAULT_NEW_ALIGNMENT__), called);
    return 0;
}
