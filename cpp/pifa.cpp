#include "pifa.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <vector>

namespace ramify {
namespace {

constexpr int64_t kBlock = 128;  // labels per task

// A set of columns that is enumerated in order without sorting: a bit per column, and a bit per word of bits.
class ColumnSet {
public:
    explicit ColumnSet(int64_t columns) : words_(columns / 64 + 1), summary_(columns / 4096 + 1) {}

    bool insert(int32_t column) {
        uint64_t& word = words_[column >> 6];
        const uint64_t bit = uint64_t(1) << (column & 63);
        if (word & bit) return false;
        if (word == 0) summary_[column >> 12] |= uint64_t(1) << ((column >> 6) & 63);
        word |= bit;
        return true;
    }

    // Calls take(column) in ascending order and empties the set.
    template <class Take>
    void drain(Take&& take) {
        for (size_t block = 0; block < summary_.size(); ++block) {
            for (uint64_t full = summary_[block]; full != 0; full &= full - 1) {
                const size_t word = block * 64 + size_t(__builtin_ctzll(full));
                for (uint64_t bits = words_[word]; bits != 0; bits &= bits - 1)
                    take(int32_t(word * 64 + size_t(__builtin_ctzll(bits))));
                words_[word] = 0;
            }
            summary_[block] = 0;
        }
    }

private:
    std::vector<uint64_t> words_, summary_;
};

int64_t count_label(const PifaInput& input, int64_t label, ColumnSet& seen) {
    const CsrView &X = input.X, &members = input.members;
    if (members.length(label) == 0) return 0;
    if (members.length(label) == 1) return X.length(members.indices[members.begin(label)]);
    int64_t count = 0;
    for (int64_t m = members.begin(label); m < members.end(label) && count < input.max_features; ++m) {
        const int32_t row = members.indices[m];
        for (int64_t k = X.begin(row); k < X.end(row); ++k) count += seen.insert(X.indices[k]);
    }
    seen.drain([](int32_t) {});
    return count;
}

struct Scratch {
    explicit Scratch(int64_t columns) : seen(columns), sums(size_t(columns), 0.0f) {}
    ColumnSet seen;
    std::vector<float> sums;
    std::vector<int32_t> columns;
    std::vector<float> sizes, alike;
};

// Writes the columns of the label, ascending, to scratch.columns and its sums in scratch.sums.
void aggregate(const PifaInput& input, int64_t label, Scratch& scratch) {
    const CsrView &X = input.X, &members = input.members;
    for (int64_t m = members.begin(label); m < members.end(label); ++m) {
        const int32_t row = members.indices[m];
        const float weight = input.weights[row];
        for (int64_t k = X.begin(row); k < X.end(row); ++k) {
            scratch.seen.insert(X.indices[k]);
            scratch.sums[X.indices[k]] += weight * X.data[k];
        }
    }
    scratch.columns.clear();
    scratch.seen.drain([&](int32_t column) { scratch.columns.push_back(column); });
}

// The keep-th largest of non-negative sizes, whose order is that of their bits (radix selection): the leading bits are
// counted, and only sizes with those of the result are sorted. Comparing all would mispredict half of the branches.
float select_largest(const std::vector<float>& sizes, int64_t keep, std::vector<float>& alike) {
    constexpr int kShift = 20;  // leaves the exponent and three bits
    const auto first_bits = [](float size) { return std::bit_cast<uint32_t>(size) >> kShift; };
    int32_t count[1 << (32 - kShift)] = {};
    for (const float size : sizes) ++count[first_bits(size)];
    uint32_t bucket = std::size(count) - 1;
    for (; count[bucket] < keep; --bucket) keep -= count[bucket];
    alike.clear();
    for (const float size : sizes)
        if (first_bits(size) == bucket) alike.push_back(size);
    std::nth_element(alike.begin(), alike.begin() + keep - 1, alike.end(), std::greater<float>());
    return alike[size_t(keep) - 1];
}

// Keeps the largest sums, ties by the lower column. Columns stay ascending.
void keep_largest(Scratch& scratch, int64_t keep) {
    auto& columns = scratch.columns;
    if (int64_t(columns.size()) <= keep) return;
    auto& sizes = scratch.sizes;  // a contiguous copy: selecting through the wide array would miss the cache
    sizes.clear();
    for (const int32_t column : columns) sizes.push_back(std::fabs(scratch.sums[column]));
    const float smallest = select_largest(sizes, keep, scratch.alike);
    int64_t ties = keep - std::count_if(sizes.begin(), sizes.end(), [&](float size) { return size > smallest; });
    auto kept = columns.begin();
    for (const int32_t column : columns) {
        float& sum = scratch.sums[column];
        const float size = std::fabs(sum);
        if (size > smallest || (size == smallest && ties-- > 0))
            *kept++ = column;
        else
            sum = 0.0f;
    }
    columns.erase(kept, columns.end());
}

// Writes the sum of the dense rows of the label; returns its squared length.
double aggregate_dense(const PifaInput& input, int64_t label, float* sums) {
    const FeatureView& X = input.X;
    const CsrView& members = input.members;
    std::fill(sums, sums + X.n_dense, 0.0f);
    for (int64_t m = members.begin(label); m < members.end(label); ++m) {
        const int32_t row = members.indices[m];
        const float weight = input.weights[row] * X.scale_of(row);
        const float* const values = X.dense_row(row);
        for (int64_t column = 0; column < X.n_dense; ++column) sums[column] += weight * values[column];
    }
    double square = 0.0;
    for (int64_t column = 0; column < X.n_dense; ++column) square += double(sums[column]) * sums[column];
    return square;
}

void fill_label(const PifaInput& input, int64_t label, Scratch& scratch, const PifaOutput& output) {
    aggregate(input, label, scratch);
    keep_largest(scratch, input.max_features);
    int32_t* indices = output.indices + output.indptr[label];
    float* data = output.data + output.indptr[label];
    const int64_t n_dense = input.X.n_dense;
    float* const dense = output.dense + label * n_dense;
    double square = n_dense == 0 ? 0.0 : aggregate_dense(input, label, dense);
    for (const int32_t column : scratch.columns) square += double(scratch.sums[column]) * scratch.sums[column];
    const double scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
    for (int64_t column = 0; column < n_dense; ++column) dense[column] = float(dense[column] * scale);
    for (const int32_t column : scratch.columns) {
        *indices++ = column;
        *data++ = float(scratch.sums[column] * scale);
        scratch.sums[column] = 0.0f;
    }
}

int64_t block_count(int64_t labels) { return (labels + kBlock - 1) / kBlock; }

// No more workers than tasks, because each has arrays with the width of X.
int workers(const PifaInput& input) {
    return int(std::clamp<int64_t>(block_count(input.members.rows), 1, input.threads));
}

}  // namespace

void pifa_count(const PifaInput& input, int64_t* counts, Monitor* monitor) {
    std::vector<ColumnSet> sets(size_t(workers(input)), ColumnSet(input.X.cols));
    parallel_for(
        block_count(input.members.rows), workers(input),
        [&](int64_t block, int worker) {
            const int64_t end = std::min((block + 1) * kBlock, input.members.rows);
            for (int64_t label = block * kBlock; label < end; ++label)
                counts[label] = std::min(count_label(input, label, sets[size_t(worker)]), input.max_features);
        },
        monitor);
}

void pifa_fill(const PifaInput& input, const PifaOutput& output, Monitor* monitor) {
    std::vector<Scratch> scratch(size_t(workers(input)), Scratch(input.X.cols));
    parallel_for(
        block_count(input.members.rows), workers(input),
        [&](int64_t block, int worker) {
            const int64_t end = std::min((block + 1) * kBlock, input.members.rows);
            for (int64_t label = block * kBlock; label < end; ++label)
                fill_label(input, label, scratch[size_t(worker)], output);
        },
        monitor);
}

}  // namespace ramify
