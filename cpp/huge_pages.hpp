// An allocator with 2 MB pages: weights are read at random, and with small pages every read would miss the TLB. Smaller
// allocations are aligned to a cache line. Large ones are mapped separately, so that freed memory is returned to the
// system at once; the heap would keep it, which raises the peak memory of later stages.
#pragma once
#include <cstddef>
#include <cstdint>
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
        return static_cast<T*>(mapped(bytes));
    }

    void deallocate(T* memory, std::size_t n) {
        const std::size_t bytes = n * sizeof(T);
        if (bytes < kPage)
            ::operator delete(memory, kLine);
        else
            unmap(memory, bytes);
    }

    template <class Other>
    bool operator==(const HugePages<Other>&) const { return true; }

    static constexpr std::size_t kPage = std::size_t(1) << 21;

private:
    static constexpr std::align_val_t kLine{64};

#if defined(__linux__)
    static std::size_t whole(std::size_t bytes) { return (bytes + 65535) / 65536 * 65536; }  // of any system's small pages

    // A range longer by one page contains an aligned one; the rest is unmapped.
    static void* mapped(std::size_t bytes) {
        const std::size_t size = whole(bytes);
        void* const found = mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (found == MAP_FAILED) throw std::bad_alloc();
        char* const start = static_cast<char*>(found);
        const std::size_t before = (kPage - reinterpret_cast<std::uintptr_t>(start) % kPage) % kPage;
        if (before != 0) munmap(start, before);
        munmap(start + before + size, kPage - before);
        madvise(start + before, size, MADV_HUGEPAGE);  // a hint: slower if it is not followed
        return start + before;
    }

    static void unmap(void* memory, std::size_t bytes) { munmap(memory, whole(bytes)); }
#else
    static void* mapped(std::size_t bytes) { return ::operator new(bytes, std::align_val_t{kPage}); }

    static void unmap(void* memory, std::size_t) { ::operator delete(memory, std::align_val_t{kPage}); }
#endif
};

template <class T>
using HugeVector = std::vector<T, HugePages<T>>;

// Empties a workspace and reserves n elements. A workspace that is far too large is freed: tasks are sorted by size.
template <class T, class Allocator>
void make_room(std::vector<T, Allocator>& workspace, std::size_t n) {
    workspace.clear();
    const std::size_t has = workspace.capacity();
    if (has / 2 > n && has * sizeof(T) > HugePages<T>::kPage) std::vector<T, Allocator>(workspace.get_allocator()).swap(workspace);
    workspace.reserve(n);
}

}  // namespace ramify
