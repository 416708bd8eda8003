// Label vectors reduced to their largest entries, for a fast approximate clustering.
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
    FeatureView vectors(const FeatureView& Z) const;  // with the dense block of Z
};

// At most `keep` sparse entries per row, the largest in absolute value, ties by the lower column. Empty if that would not
// remove half of the sparse entries, or for keep = 0.
Sketch make_sketch(const FeatureView& Z, int64_t keep);

}  // namespace ramify
