#include "cluster_patch.hpp"

#include <algorithm>
#include <utility>

#include "cluster_dot.hpp"

namespace ramify {

// Counts in how many rows each column is, up to 2. Without branches: half of the columns are new, at random.
template <class RowOf>
void PatchMaker::count_uses(int64_t n_rows, int64_t columns, int64_t entries, RowOf&& row_of) {
    touched_.resize(size_t(std::min(columns, entries)) + 1);
    size_t n_touched = 0;
    for (int64_t i = 0; i < n_rows; ++i) {
        const Row row = row_of(i);
        for (int64_t k = 0; k < row.length; ++k) {
            int32_t& uses = number_[size_t(row.indices[k])];
            touched_[n_touched] = row.indices[k];
            n_touched += uses == 0;
            uses += uses < 2;
        }
    }
    touched_.resize(n_touched);
}

// Turns uses into numbers: ascending, counted from 1, for the columns used twice; 0 for the others.
int64_t PatchMaker::number_shared(int64_t columns) {
    int32_t shared = 0;
    const auto renumber = [&](int32_t& uses) { uses = uses == 2 ? ++shared : 0; };
    if (int64_t(touched_.size()) * 16 > columns) {
        std::for_each(number_.begin(), number_.begin() + columns, renumber);
        return shared;
    }
    std::sort(touched_.begin(), touched_.end());
    for (const int32_t column : touched_) renumber(number_[size_t(column)]);
    return shared;
}

template <class RowOf>
Patch PatchMaker::compact(std::vector<int32_t> labels, int64_t columns, RowOf&& row_of) {
    const int64_t n_rows = int64_t(labels.size());
    if (int64_t(number_.size()) < columns) number_.resize(size_t(columns), 0);
    int64_t entries = 0;
    for (int64_t i = 0; i < n_rows; ++i) entries += row_of(i).length;
    count_uses(n_rows, columns, entries, row_of);
    Patch patch;
    patch.indices = SpillVector<int32_t>(SpillAllocator<int32_t>(folder_));
    patch.data = SpillVector<float>(SpillAllocator<float>(folder_));
    patch.columns = number_shared(columns);
    patch.labels = std::move(labels);
    patch.indptr.resize(size_t(n_rows) + 1);
    patch.own.resize(size_t(n_rows));
    patch.indices.resize(size_t(entries) + 1);  // one more: a dropped entry is written, then overwritten
    patch.data.resize(size_t(entries) + 1);
    size_t kept = 0;
    for (int64_t i = 0; i < n_rows; ++i) {
        const Row row = row_of(i);
        float own = row.own;
        for (int64_t k = 0; k < row.length; ++k) {
            const int32_t number = number_[size_t(row.indices[k])];
            const float entry = row.data[k];
            patch.indices[kept] = number - 1;
            patch.data[kept] = entry;
            kept += number != 0;
            own += number != 0 ? 0.0f : entry * entry;
        }
        patch.own[size_t(i)] = own;
        patch.indptr[size_t(i) + 1] = int64_t(kept);
    }
    patch.indices.resize(kept);
    patch.data.resize(kept);
    for (const int32_t column : touched_) number_[size_t(column)] = 0;
    return patch;
}

Patch PatchMaker::gather(const FeatureView& Z, std::vector<int32_t> labels) {
    const std::vector<int32_t> rows = labels;
    Patch patch = compact(std::move(labels), Z.cols, [&](int64_t i) {
        const int64_t begin = Z.begin(rows[size_t(i)]);
        return Row{Z.indices + begin, Z.data + begin, Z.length(rows[size_t(i)]), 0.0f};
    });
    patch.n_dense = Z.n_dense;
    patch.dense = Z.dense;
    return patch;
}

Patch PatchMaker::select(const Patch& from, const std::vector<int32_t>& sides, int32_t side) {
    std::vector<int32_t> labels, rows;
    for (int64_t i = 0; i < from.size(); ++i) {
        if (sides[size_t(i)] != side) continue;
        labels.push_back(from.labels[size_t(i)]);
        rows.push_back(int32_t(i));
    }
    Patch patch = compact(std::move(labels), from.columns, [&](int64_t i) {
        const size_t row = size_t(rows[size_t(i)]);
        const int64_t begin = from.indptr[row];
        return Row{from.indices.data() + begin, from.data.data() + begin, from.indptr[row + 1] - begin, from.own[row]};
    });
    patch.n_dense = from.n_dense;
    patch.dense = from.dense;
    return patch;
}

void add_row(const Patch& patch, int64_t row, float sign, float* sums, int64_t from, int64_t to) {
    for_entries(patch, row, from, to, [&](int64_t column, float entry) { sums[column] += sign * entry; });
}

void project(const Patch& patch, const float* direction, int64_t begin, int64_t end, float* products) {
    sparse_dots({patch.indptr.data(), patch.indices.data(), patch.data.data(), direction, begin, end, products});
    if (patch.n_dense != 0)
        add_dense_dots({patch.labels.data(), patch.dense, patch.n_dense, direction + patch.columns, begin, end, products});
}

}  // namespace ramify
