#include "cluster_sketch.hpp"

#include <cmath>
#include <numeric>

namespace ramify {
namespace {

void keep_largest(const CsrView& Z, int64_t row, int64_t keep, std::vector<int64_t>& places, Sketch& sketch) {
    places.resize(size_t(Z.length(row)));
    std::iota(places.begin(), places.end(), Z.begin(row));
    if (Z.length(row) > keep) {
        std::nth_element(places.begin(), places.begin() + keep, places.end(), [&](int64_t a, int64_t b) {
            const float left = std::fabs(Z.data[a]), right = std::fabs(Z.data[b]);
            return left != right ? left > right : a < b;
        });
        places.resize(size_t(keep));
        std::sort(places.begin(), places.end());
    }
    for (const int64_t place : places) {
        sketch.indices.push_back(Z.indices[place]);
        sketch.data.push_back(Z.data[place]);
    }
    sketch.indptr.push_back(int64_t(sketch.indices.size()));
}

}  // namespace

LabelVectors Sketch::vectors(int64_t cols) const {
    LabelVectors Z;
    Z.rows = int64_t(indptr.size()) - 1;
    Z.cols = cols;
    Z.sparse = {Z.rows, cols, indptr.data(), indices.data(), data.data()};
    return Z;
}

Sketch make_sketch(const LabelVectors& Z, int64_t keep) {
    Sketch sketch;
    if (Z.dense || keep == 0) return sketch;
    int64_t kept = 0;
    for (int64_t row = 0; row < Z.rows; ++row) kept += std::min(Z.sparse.length(row), keep);
    if (2 * kept > Z.sparse.nnz()) return sketch;
    sketch.indptr.push_back(0);
    sketch.indices.reserve(size_t(kept));
    sketch.data.reserve(size_t(kept));
    std::vector<int64_t> places;
    for (int64_t row = 0; row < Z.rows; ++row) keep_largest(Z.sparse, row, keep, places, sketch);
    return sketch;
}

}  // namespace ramify
