// An allocator for large arrays that lie in files instead of anonymous memory, so that the system can write their pages back
// and reuse them when memory is short. Each array has a file of its own, which has no name: it disappears with the array,
// or with the process. Without a folder, and below kLeast bytes, memory is allocated by another allocator.
#pragma once
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace ramify {

// A folder cannot hold an array. The message names the size and the reason.
struct SpillError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Maps a new unnamed file of so many bytes, all of them reserved; throws SpillError.
void* map_spilled(const std::string& folder, std::size_t bytes);
void unmap_spilled(void* memory, std::size_t bytes);

template <class T, class InMemory = std::allocator<T>>
struct SpillAllocator {
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;

    SpillAllocator() = default;
    explicit SpillAllocator(const std::string* folder) : folder(folder) {}  // null or empty: memory; not copied
    template <class Other, class Base>
    SpillAllocator(const SpillAllocator<Other, Base>& other) : folder(other.folder) {}

    T* allocate(std::size_t n) {
        if (spills(n)) return static_cast<T*>(map_spilled(*folder, n * sizeof(T)));
        return InMemory().allocate(n);
    }

    void deallocate(T* memory, std::size_t n) {
        if (spills(n))
            unmap_spilled(memory, n * sizeof(T));
        else
            InMemory().deallocate(memory, n);
    }

    template <class Other, class Base>
    bool operator==(const SpillAllocator<Other, Base>& other) const { return folder == other.folder; }

    const std::string* folder = nullptr;

private:
    static constexpr std::size_t kLeast = std::size_t(1) << 20;

    bool spills(std::size_t n) const { return folder != nullptr && !folder->empty() && n * sizeof(T) >= kLeast; }
};

template <class T, class InMemory = std::allocator<T>>
using SpillVector = std::vector<T, SpillAllocator<T, InMemory>>;

}  // namespace ramify
