// The labels of one tree node with their vectors, gathered close together.
//
// Columns are renumbered to those that at least two labels of the node share, so that centroids stay in cache. A column
// that one label has alone meets nothing but itself in any dot product: only the sum of its squares is kept (`own`).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "csr.hpp"

namespace ramify {

using std::size_t;

// Label vectors as the caller gave them: sparse, or dense when `dense` is set.
struct LabelVectors {
    CsrView sparse;
    const float* dense = nullptr;  // (rows, cols), row after row
    int64_t rows = 0;
    int64_t cols = 0;
};

struct Patch {
    std::vector<int32_t> labels;   // ascending
    int64_t columns = 0;
    const float* dense = nullptr;  // set: rows are read from here by label id, the arrays below stay empty
    std::vector<int64_t> indptr{0};
    std::vector<int32_t> indices;
    std::vector<float> data;
    std::vector<float> own;

    int64_t size() const { return int64_t(labels.size()); }
    int64_t entries() const { return dense ? size() * columns : int64_t(indices.size()); }
    int64_t cost() const { return entries() + 4 * size(); }
    bool has_own() const { return !own.empty(); }
    float own_of(int64_t row) const { return own.empty() ? 0.0f : own[size_t(row)]; }
};

// The patch of some labels, ascending.
Patch gather_patch(const LabelVectors& Z, std::vector<int32_t> labels);

// The patch of the rows whose side is `side`.
Patch select_patch(const Patch& from, const std::vector<int32_t>& sides, int32_t side);

// sums[column] += sign * the row's entry, for columns in [from, to).
void add_row(const Patch& patch, int64_t row, float sign, float* sums, int64_t from, int64_t to);

// products[row] = row · direction for rows in [begin, end); own entries not counted.
void project(const Patch& patch, const float* direction, int64_t begin, int64_t end, float* products);

}  // namespace ramify
