#include "cluster_choose.hpp"

#include <algorithm>
#include <cstring>

namespace ramify {
namespace {

constexpr int32_t kBins = 1024;
constexpr size_t kSmall = 512;  // below, a selection among all is as fast

// Ascending keys = descending projections, then ascending rows.
uint64_t key_of(float projection, size_t row) {
    const float value = projection == 0.0f ? 0.0f : projection;  // -0 equals 0
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return uint64_t(~ascending) << 32 | uint64_t(row);
}

}  // namespace

int64_t Chooser::choose(const std::vector<float>& projections, int64_t chosen, std::vector<int32_t>& sides) {
    const uint64_t limit = limit_of(projections, chosen);
    int64_t moved = 0;
    for (size_t row = 0; row < projections.size(); ++row) {
        const int32_t side = key_of(projections[row], row) >= limit;
        moved += side != sides[row];
        sides[row] = side;
    }
    return moved;
}

// The key of the first row that is not chosen.
uint64_t Chooser::limit_of(const std::vector<float>& projections, int64_t chosen) {
    if (projections.size() < kSmall || !narrow(projections, chosen)) {
        keys_.resize(projections.size());
        for (size_t row = 0; row < projections.size(); ++row) keys_[row] = key_of(projections[row], row);
    }
    std::nth_element(keys_.begin(), keys_.begin() + chosen, keys_.end());
    return keys_[size_t(chosen)];
}

// Counts the rows in equal steps of projection, and takes only the step with the limit as keys; `chosen` becomes the
// place in that step. False if the rows have the same step.
bool Chooser::narrow(const std::vector<float>& projections, int64_t& chosen) {
    float low = projections[0], high = projections[0];
    float nothing = 0.0f;  // stays 0 unless a product overflowed
    for (const float projection : projections) {
        low = std::min(low, projection);
        high = std::max(high, projection);
        nothing += projection - projection;
    }
    const float scale = float(kBins - 1) / (high - low);
    if (nothing != 0.0f || !(scale > 0.0f && scale < 1e30f)) return false;
    counts_.assign(kBins, 0);
    bins_.resize(projections.size());
    for (size_t row = 0; row < projections.size(); ++row) {
        const int32_t bin = std::clamp(int32_t((high - projections[row]) * scale), 0, kBins - 1);
        bins_[row] = uint16_t(bin);
        ++counts_[size_t(bin)];
    }
    int32_t bin = 0;
    while (chosen >= counts_[size_t(bin)]) chosen -= counts_[size_t(bin++)];
    keys_.resize(size_t(counts_[size_t(bin)]) + 1);
    size_t found = 0;
    for (size_t row = 0; row < projections.size(); ++row) {
        keys_[found] = key_of(projections[row], row);
        found += bins_[row] == bin;
    }
    keys_.resize(found);
    return true;
}

}  // namespace ramify
