// Picks a given number of rows with the largest projections: the assignment step of a balanced cut.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ramify {

// Ties are broken by the lower row, so the choice depends on the numbers only.
class Chooser {
public:
    // sides[row] = 0 for the `chosen` best rows (fewer than all), 1 for the others; returns the number of changes.
    int64_t choose(const std::vector<float>& projections, int64_t chosen, std::vector<int32_t>& sides);

private:
    uint64_t limit_of(const std::vector<float>& projections, int64_t chosen);
    bool narrow(const std::vector<float>& projections, int64_t& chosen);

    std::vector<uint64_t> keys_;
    std::vector<int32_t> counts_;
    std::vector<uint16_t> bins_;
};

}  // namespace ramify
