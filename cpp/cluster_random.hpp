// Small seeded random numbers; the NumPy twins repeat them step by step.
#pragma once
#include <cstdint>

namespace ramify {

inline uint64_t mix(uint64_t value) {  // the finaliser of SplitMix64
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
    return value ^ (value >> 31);
}

// The seed of a tree node, from its position only, independent of threads.
inline uint64_t mix_seed(uint64_t seed, uint64_t begin, uint64_t end) { return mix(mix(mix(seed) + begin) + end); }

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15ull); }

    // Uniform in [0, bound) up to a bias of bound / 2^64.
    uint64_t below(uint64_t bound) { return next() % bound; }

private:
    uint64_t state_;
};

}  // namespace ramify
