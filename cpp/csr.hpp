// Views of matrices: compressed sparse rows, and such rows with a dense block beside them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ramify {

using std::size_t;

struct CsrView {
    int64_t rows = 0;
    int64_t cols = 0;
    const int64_t* indptr = nullptr;   // rows + 1
    const int32_t* indices = nullptr;  // sorted within a row, no duplicates
    const float* data = nullptr;       // may be null if only the pattern is used

    int64_t begin(int64_t row) const { return indptr[row]; }
    int64_t end(int64_t row) const { return indptr[row + 1]; }
    int64_t length(int64_t row) const { return indptr[row + 1] - indptr[row]; }
    int64_t nnz() const { return indptr[rows]; }
};

// Instances: sparse rows, and optionally a dense block of columns beside them. `cols` counts the sparse columns.
struct FeatureView : CsrView {
    int64_t n_dense = 0;                 // columns of the dense block
    const float* dense = nullptr;        // rows x n_dense
    const float* dense_scale = nullptr;  // per row: factor of its dense values; null: 1

    FeatureView() = default;
    FeatureView(const CsrView& sparse) : CsrView(sparse) {}  // no dense block
    FeatureView(const CsrView& sparse, int64_t columns, const float* values, const float* scale)
        : CsrView(sparse), n_dense(columns), dense(values), dense_scale(scale) {}

    const float* dense_row(int64_t row) const { return dense + row * n_dense; }
    float scale_of(int64_t row) const { return dense_scale == nullptr ? 1.0f : dense_scale[row]; }
};

}  // namespace ramify
