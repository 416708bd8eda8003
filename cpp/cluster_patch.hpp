// The labels of one tree node with their vectors, gathered close together.
//
// Columns are renumbered to those that at least two labels of the node share, so that centroids stay in cache. A column
// of a single label contributes to no dot product with other labels: only the sum of its squares is kept (`own`). Dense
// columns follow the sparse ones; their values are read in place.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "csr.hpp"
#include "spill.hpp"

namespace ramify {

using std::size_t;

struct Patch {
    std::vector<int32_t> labels;   // ascending
    int64_t columns = 0;           // sparse columns that several labels share
    int64_t n_dense = 0;
    const float* dense = nullptr;  // n_dense values per label id
    std::vector<int64_t> indptr{0};
    SpillVector<int32_t> indices;
    SpillVector<float> data;
    std::vector<float> own;

    int64_t size() const { return int64_t(labels.size()); }
    int64_t width() const { return columns + n_dense; }
    int64_t entries() const { return size() * n_dense + int64_t(indices.size()); }
    int64_t cost() const { return entries() + 4 * size(); }
    float own_of(int64_t row) const { return own.empty() ? 0.0f : own[size_t(row)]; }
};

// Makes patches and reuses its arrays; every worker has its own.
class PatchMaker {
public:
    PatchMaker() = default;
    // Entries of patches are in files of this folder (see spill.hpp), which must outlive the patches.
    explicit PatchMaker(const std::string* folder) : folder_(folder) {}

    // The patch of some labels, ascending.
    Patch gather(const FeatureView& Z, std::vector<int32_t> labels);

    // The patch of the rows whose side is `side`.
    Patch select(const Patch& from, const std::vector<int32_t>& sides, int32_t side);

private:
    struct Row {
        const int32_t* indices;
        const float* data;
        int64_t length;
        float own;
    };
    template <class RowOf>
    Patch compact(std::vector<int32_t> labels, int64_t columns, RowOf&& row_of);
    template <class RowOf>
    void count_uses(int64_t n_rows, int64_t columns, int64_t entries, RowOf&& row_of);
    int64_t number_shared(int64_t columns);

    std::vector<int32_t> number_;   // per column: uses (0, 1, 2 or more), then its new number + 1 or 0; all 0 between calls
    const std::string* folder_ = nullptr;
    std::vector<int32_t> touched_;  // columns to set back to 0
};

// Calls use(column, entry) for the row's entries in columns [from, to) of the patch's width, ascending.
template <class Use>
inline void for_entries(const Patch& patch, int64_t row, int64_t from, int64_t to, Use&& use) {
    const int32_t* indices = patch.indices.data();
    int64_t k = patch.indptr[size_t(row)];
    const int64_t end = patch.indptr[size_t(row) + 1];
    if (from > 0) k = std::lower_bound(indices + k, indices + end, from) - indices;
    for (; k < end && indices[k] < to; ++k) use(int64_t(indices[k]), patch.data[size_t(k)]);
    const float* const entries = patch.dense + int64_t(patch.labels[size_t(row)]) * patch.n_dense;
    for (int64_t column = std::max(from, patch.columns); column < to; ++column) use(column, entries[column - patch.columns]);
}

// sums[column] += sign * the row's entry, for columns in [from, to).
void add_row(const Patch& patch, int64_t row, float sign, float* sums, int64_t from, int64_t to);

// products[row] = row · direction for rows in [begin, end); own entries not counted.
void project(const Patch& patch, const float* direction, int64_t begin, int64_t end, float* products);

}  // namespace ramify
