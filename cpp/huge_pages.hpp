// An allocator that asks for 2 MB pages: weights are read at random, and small pages would miss the TLB at every read.
// What is smaller begins with a cache line.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ramify {

template <class T>
struct HugePages {
    using value_type = T;

    HugePages() = default;
    template <class Other>
    HugePages(const HugePages<Other>&) {}

    T* allocate(std::size_t n) {
        const std::size_t bytes = n * sizeof(T);
        if (bytes < kPage) return static_cast<T*>(::operator new(bytes, kLine));
        void* const memory = std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage);
        if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
        madvise(memory, bytes, MADV_HUGEPAGE);  // only a wish: without it everything works, more slowly
#endif
        return static_cast<T*>(memory);
    }

    void deallocate(T* memory, std::size_t n) {
        if (n * sizeof(T) < kPage)
            ::operator delete(memory, kLine);
        else
            std::free(memory);
    }

    template <class Other>
    bool operator==(const HugePages<Other>&) const { return true; }

private:
    static constexpr std::size_t kPage = std::size_t(1) << 21;
    static constexpr std::align_val_t kLine{64};
};

template <class T>
using HugeVector = std::vector<T, HugePages<T>>;

}  // namespace ramify
