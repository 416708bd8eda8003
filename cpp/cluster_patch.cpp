#include "cluster_patch.hpp"

#include <algorithm>
#include <utility>

#include "cluster_dot.hpp"

namespace ramify {
namespace {

// Builds a patch out of rows that `row_of(i)` gives as (indices, data, length, own so far).
struct Row {
    const int32_t* indices;
    const float* data;
    int64_t length;
    float own;
};

template <class RowOf>
std::vector<int32_t> shared_columns(int64_t columns, int64_t n_rows, int64_t& n_shared, RowOf&& row_of) {
    std::vector<int32_t> number(size_t(columns), 0);  // first 0, 1 or 2 uses, then the new number or -1
    for (int64_t i = 0; i < n_rows; ++i) {
        const Row row = row_of(i);
        for (int64_t k = 0; k < row.length; ++k) {
            int32_t& uses = number[size_t(row.indices[k])];
            uses += uses < 2;
        }
    }
    n_shared = 0;
    for (int32_t& uses : number) uses = uses == 2 ? int32_t(n_shared++) : -1;
    return number;
}

template <class RowOf>
Patch compact(std::vector<int32_t> labels, int64_t columns, RowOf&& row_of) {
    Patch patch;
    const int64_t n_rows = int64_t(labels.size());
    const std::vector<int32_t> number = shared_columns(columns, n_rows, patch.columns, row_of);
    int64_t entries = 0;
    for (int64_t i = 0; i < n_rows; ++i) entries += row_of(i).length;
    patch.labels = std::move(labels);
    patch.indptr.reserve(size_t(n_rows) + 1);
    patch.own.reserve(size_t(n_rows));
    patch.indices.reserve(size_t(entries));
    patch.data.reserve(size_t(entries));
    for (int64_t i = 0; i < n_rows; ++i) {
        const Row row = row_of(i);
        float own = row.own;
        for (int64_t k = 0; k < row.length; ++k) {
            const int32_t column = number[size_t(row.indices[k])];
            if (column < 0) {
                own += row.data[k] * row.data[k];
                continue;
            }
            patch.indices.push_back(column);
            patch.data.push_back(row.data[k]);
        }
        patch.own.push_back(own);
        patch.indptr.push_back(int64_t(patch.indices.size()));
    }
    return patch;
}

}  // namespace

Patch gather_patch(const LabelVectors& Z, std::vector<int32_t> labels) {
    if (Z.dense) {
        Patch patch;
        patch.labels = std::move(labels);
        patch.columns = Z.cols;
        patch.dense = Z.dense;
        return patch;
    }
    const std::vector<int32_t> rows = labels;
    return compact(std::move(labels), Z.cols, [&](int64_t i) {
        const int64_t begin = Z.sparse.begin(rows[size_t(i)]);
        return Row{Z.sparse.indices + begin, Z.sparse.data + begin, Z.sparse.length(rows[size_t(i)]), 0.0f};
    });
}

Patch select_patch(const Patch& from, const std::vector<int32_t>& sides, int32_t side) {
    std::vector<int32_t> labels, rows;
    for (int64_t i = 0; i < from.size(); ++i) {
        if (sides[size_t(i)] != side) continue;
        labels.push_back(from.labels[size_t(i)]);
        rows.push_back(int32_t(i));
    }
    if (from.dense) {
        Patch patch;
        patch.labels = std::move(labels);
        patch.columns = from.columns;
        patch.dense = from.dense;
        return patch;
    }
    return compact(std::move(labels), from.columns, [&](int64_t i) {
        const size_t row = size_t(rows[size_t(i)]);
        const int64_t begin = from.indptr[row];
        return Row{from.indices.data() + begin, from.data.data() + begin, from.indptr[row + 1] - begin, from.own[row]};
    });
}

void add_row(const Patch& patch, int64_t row, float sign, float* sums, int64_t from, int64_t to) {
    if (patch.dense) {
        const float* entries = patch.dense + int64_t(patch.labels[size_t(row)]) * patch.columns;
        for (int64_t column = from; column < to; ++column) sums[column] += sign * entries[column];
        return;
    }
    const int32_t* indices = patch.indices.data();
    int64_t k = patch.indptr[size_t(row)];
    const int64_t end = patch.indptr[size_t(row) + 1];
    if (from > 0) k = std::lower_bound(indices + k, indices + end, from) - indices;
    for (; k < end && indices[k] < to; ++k) sums[indices[k]] += sign * patch.data[size_t(k)];
}

void project(const Patch& patch, const float* direction, int64_t begin, int64_t end, float* products) {
    if (patch.dense) {
        dense_dots({patch.labels.data(), patch.dense, patch.columns, direction, begin, end, products});
        return;
    }
    sparse_dots({patch.indptr.data(), patch.indices.data(), patch.data.data(), direction, begin, end, products});
}

}  // namespace ramify
