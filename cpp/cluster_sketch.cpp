#include "cluster_sketch.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace ramify {
namespace {

// Keeps all entries above the threshold, and the first ones equal to it.
void keep_largest(const CsrView& Z, int64_t row, int64_t keep, std::vector<float>& sizes, Sketch& sketch) {
    float last = -1.0f;
    int64_t equals = 0;
    if (Z.length(row) > keep) {
        sizes.clear();
        for (int64_t k = Z.begin(row); k < Z.end(row); ++k) sizes.push_back(std::fabs(Z.data[k]));
        std::nth_element(sizes.begin(), sizes.begin() + (keep - 1), sizes.end(), std::greater<float>());
        last = sizes[size_t(keep) - 1];
        equals = std::count(sizes.begin(), sizes.begin() + keep, last);
    }
    for (int64_t k = Z.begin(row); k < Z.end(row); ++k) {
        const float size = std::fabs(Z.data[k]);
        if (size < last || (size == last && equals-- <= 0)) continue;
        sketch.indices.push_back(Z.indices[k]);
        sketch.data.push_back(Z.data[k]);
    }
    sketch.indptr.push_back(int64_t(sketch.indices.size()));
}

}  // namespace

FeatureView Sketch::vectors(const FeatureView& Z) const {
    return {CsrView{Z.rows, Z.cols, indptr.data(), indices.data(), data.data()}, Z.n_dense, Z.dense, Z.dense_scale};
}

Sketch make_sketch(const FeatureView& Z, int64_t keep, const std::string* folder) {
    Sketch sketch;
    sketch.indices = SpillVector<int32_t>(SpillAllocator<int32_t>(folder));
    sketch.data = SpillVector<float>(SpillAllocator<float>(folder));
    if (keep == 0) return sketch;
    int64_t kept = 0;
    for (int64_t row = 0; row < Z.rows; ++row) kept += std::min(Z.length(row), keep);
    if (2 * kept > Z.nnz() || kept == 0) return sketch;
    sketch.indptr.push_back(0);
    sketch.indices.reserve(size_t(kept));
    sketch.data.reserve(size_t(kept));
    std::vector<float> sizes;
    for (int64_t row = 0; row < Z.rows; ++row) keep_largest(Z, row, keep, sizes, sketch);
    return sketch;
}

}  // namespace ramify
