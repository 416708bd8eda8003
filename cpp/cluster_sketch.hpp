// Label vectors reduced to their largest entries, for a fast approximate clustering.
#pragma once
#include <cstdint>
#include <vector>

#include "cluster_patch.hpp"

namespace ramify {

struct Sketch {
    std::vector<int64_t> indptr;
    SpillVector<int32_t> indices;
    SpillVector<float> data;

    bool empty() const { return indptr.empty(); }
    FeatureView vectors(const FeatureView& Z) const;  // with the dense block of Z
};

// At most `keep` sparse entries per row, the largest in absolute value, ties by the lower column. Empty if that would not
// remove half of the sparse entries, or for keep = 0.
// They are in files of the folder, if there is one.
Sketch make_sketch(const FeatureView& Z, int64_t keep, const std::string* folder = nullptr);

}  // namespace ramify
