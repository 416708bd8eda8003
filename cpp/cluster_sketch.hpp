// Label vectors cut down to their largest entries: enough to find roughly where labels belong, many times cheaper.
#pragma once
#include <cstdint>
#include <vector>

#include "cluster_patch.hpp"

namespace ramify {

struct Sketch {
    std::vector<int64_t> indptr;
    std::vector<int32_t> indices;
    std::vector<float> data;

    bool empty() const { return indptr.empty(); }
    LabelVectors vectors(int64_t cols) const;
};

// At most `keep` entries per row, the largest in size, the lower column among equals. Empty where that would not save
// half of the entries, where Z is dense, or for keep = 0.
Sketch make_sketch(const LabelVectors& Z, int64_t keep);

}  // namespace ramify
