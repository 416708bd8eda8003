// Picks a given number of rows with the largest projections: the assignment step of a balanced cut.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ramify {

// Among equal projections the lower row comes first, so the choice is a function of the numbers alone.
class Chooser {
public:
    // sides[row] = 0 for the `chosen` best rows (fewer than all), 1 for the others; returns how many changed.
    int64_t choose(const std::vector<float>& projections, int64_t chosen, std::vector<int32_t>& sides);

private:
    uint64_t limit_of(const std::vector<float>& projections, int64_t chosen);
    bool narrow(const std::vector<float>& projections, int64_t& chosen);

    std::vector<uint64_t> keys_;
    std::vector<int32_t> counts_;
    std::vector<uint16_t> bins_;
};

}  // namespace ramify
