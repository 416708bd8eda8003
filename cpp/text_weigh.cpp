#include "text_weigh.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace ramify {

namespace {

constexpr int64_t kChunkCharacters = 1 << 16;
constexpr size_t kRadixFrom = 96;  // fewer cells: a comparison sort is faster

// Least significant byte first, over the bytes that column numbers have.
void radix_sort(std::vector<uint64_t>& cells, std::vector<uint64_t>& scratch, int64_t n_columns) {
    scratch.resize(cells.size());
    for (int shift = 32; ((n_columns - 1) >> (shift - 32)) > 0; shift += 8) {
        std::array<uint32_t, 257> begin{};
        for (const uint64_t cell : cells) ++begin[((cell >> shift) & 0xFF) + 1];
        for (int i = 0; i < 256; ++i) begin[i + 1] += begin[i];
        for (const uint64_t cell : cells) scratch[begin[(cell >> shift) & 0xFF]++] = cell;
        cells.swap(scratch);
    }
}

// 1 + log(count), precomputed for the most common counts.
class TermWeights {
public:
    TermWeights() {
        for (size_t count = 1; count < ready_.size(); ++count) ready_[count] = 1.0 + std::log(double(count));
    }
    double of(int64_t count) const {
        const uint64_t size = uint64_t(std::abs(count));
        const double weight = size < ready_.size() ? ready_[size] : 1.0 + std::log(double(size));
        return count < 0 ? -weight : weight;
    }

private:
    std::array<double, 64> ready_{};
};

const TermWeights kTermWeights;

}  // namespace

// Three passes, so that the memory accesses of many n-grams overlap.
void Cells::find(const std::vector<Gram>& grams, const ColumnMap& columns) {
    packed.clear();
    if (columns.slots == nullptr) return find_hashed(grams, columns);
    const uint64_t mask = uint64_t(columns.n_slots) - 1;
    for (const Gram& gram : grams) __builtin_prefetch(&columns.slots[gram.hash & mask]);
    first_columns.resize(grams.size());
    for (size_t i = 0; i < grams.size(); ++i) {
        first_columns[i] = columns.first_column(grams[i].hash);
        __builtin_prefetch(&columns.hashes[std::max(first_columns[i], 0)]);
    }
    for (size_t i = 0; i < grams.size(); ++i) {
        const int32_t column = columns.find(grams[i].hash, first_columns[i]);
        if (column >= 0) add(column, int32_t(grams[i].count));
    }
}

void Cells::find_hashed(const std::vector<Gram>& grams, const ColumnMap& columns) {
    for (const Gram& gram : grams) add(columns.hashed(gram.hash), columns.sign(gram.hash) * int32_t(gram.count));
}

void Cells::settle(int64_t n_columns) {
    if (packed.size() < kRadixFrom)
        std::sort(packed.begin(), packed.end());
    else
        radix_sort(packed, scratch, n_columns);
    size_t written = 0;
    for (size_t i = 0; i < packed.size();) {
        const int32_t here = column(packed[i]);
        int64_t total = 0;
        for (; i < packed.size() && column(packed[i]) == here; ++i) total += count(packed[i]);
        if (total != 0) packed[written++] = (uint64_t(uint32_t(here)) << 32) | uint32_t(int32_t(total));
    }
    packed.resize(written);
}

int64_t weigh_cells(const Cells& cells, const Weighting& weighting, int32_t* indices, float* values, int64_t room) {
    const int64_t length = std::min(int64_t(cells.packed.size()), room);
    double squares = 0.0;
    for (int64_t i = 0; i < length; ++i) {
        const int32_t column = Cells::column(cells.packed[i]);
        const int32_t count = Cells::count(cells.packed[i]);
        const double idf = weighting.idf == nullptr ? 1.0 : double(weighting.idf[column]);
        const double value = (weighting.sublinear ? kTermWeights.of(count) : double(count)) * idf;
        squares += value * value;
        indices[i] = column;
        values[i] = float(value);
    }
    if (!weighting.normalise || squares <= 0.0) return length;
    const double scale = 1.0 / std::sqrt(squares);
    for (int64_t i = 0; i < length; ++i) values[i] = float(double(values[i]) * scale);
    return length;
}

int64_t weigh_text(GramReader& reader, const TextView& text, const ColumnMap& columns, const Weighting& weighting,
                   int32_t* indices, float* values, int64_t room) {
    Cells cells;
    cells.find(reader.read(text), columns);
    cells.settle(columns.n_columns);
    return weigh_cells(cells, weighting, indices, values, room);
}

void WeighedTexts::weigh(const ColumnMap& columns, const Weighting& weighting, int threads, Monitor* monitor) {
    for (const TextSpan& span : split_texts(texts_, kChunkCharacters)) rows_.push_back({span, {}, {}, {}});
    std::vector<GramReader> readers;
    for (int worker = 0; worker < threads; ++worker) readers.emplace_back(settings_, table_);
    std::vector<Cells> cells(threads);
    auto weigh_chunk = [&](int64_t chunk, int worker) {
        Rows& rows = rows_[chunk];
        for (int64_t text = rows.span.first; text < rows.span.last; ++text) {
            cells[worker].find(readers[worker].read(texts_[text]), columns);
            cells[worker].settle(columns.n_columns);
            const size_t before = rows.indices.size();
            const size_t length = cells[worker].packed.size();
            rows.indices.resize(before + length);
            rows.values.resize(before + length);
            weigh_cells(cells[worker], weighting, rows.indices.data() + before, rows.values.data() + before,
                        int64_t(length));
            rows.lengths.push_back(int64_t(length));
        }
    };
    parallel_for(int64_t(rows_.size()), threads, weigh_chunk, monitor);
}

int64_t WeighedTexts::nnz() const {
    int64_t total = 0;
    for (const Rows& rows : rows_) total += int64_t(rows.indices.size());
    return total;
}

void WeighedTexts::fill(int64_t* indptr, int32_t* indices, float* values) {
    *indptr = 0;
    for (Rows& rows : rows_) {
        for (const int64_t length : rows.lengths) {
            indptr[1] = indptr[0] + length;
            ++indptr;
        }
        if (!rows.indices.empty()) {
            std::memcpy(indices, rows.indices.data(), rows.indices.size() * sizeof(int32_t));
            std::memcpy(values, rows.values.data(), rows.values.size() * sizeof(float));
        }
        indices += rows.indices.size();
        values += rows.values.size();
        rows = Rows{};
    }
    rows_.clear();
}

void count_columns(const std::vector<TextView>& texts, const GramSettings& settings, const uint32_t* table,
                   const ColumnMap& columns, int64_t* frequencies, int threads, Monitor* monitor) {
    const std::vector<TextSpan> spans = split_texts(texts, kChunkCharacters);
    std::vector<GramReader> readers;
    for (int worker = 0; worker < threads; ++worker) readers.emplace_back(settings, table);
    std::vector<Cells> cells(threads);
    auto count_chunk = [&](int64_t chunk, int worker) {
        for (int64_t text = spans[chunk].first; text < spans[chunk].last; ++text) {
            cells[worker].find(readers[worker].read(texts[text]), columns);
            cells[worker].settle(columns.n_columns);
            for (const uint64_t cell : cells[worker].packed)
                __atomic_fetch_add(&frequencies[Cells::column(cell)], 1, __ATOMIC_RELAXED);  // sums have no order
        }
    };
    parallel_for(int64_t(spans.size()), threads, count_chunk, monitor);
}

CorpusRows::CorpusRows(const Corpus& corpus, const std::vector<uint32_t>& terms)
    : corpus_(corpus), n_columns_(int64_t(terms.size())) {
    for (const int64_t size : corpus.part_sizes()) columns_.emplace_back(size, -1);
    for (size_t column = 0; column < terms.size(); ++column)
        columns_[terms[column] >> kTermBits][terms[column] & ((1u << kTermBits) - 1)] = int32_t(column);
}

void CorpusRows::fill_indptr(int64_t* indptr, int threads) const {
    auto measure = [&](int64_t i, int) {
        const CountedChunk& chunk = corpus_.chunks()[i];
        uint32_t entry = 0;
        for (size_t row = 0; row < chunk.row_ends.size(); ++row) {
            int64_t length = 0;
            for (; entry < chunk.row_ends[row]; ++entry) length += column_of(chunk.terms[entry]) >= 0;
            indptr[chunk.span.first + int64_t(row) + 1] = length;
        }
    };
    indptr[0] = 0;
    parallel_for(int64_t(corpus_.chunks().size()), threads, measure);
    for (size_t row = 0; row < corpus_.texts().size(); ++row) indptr[row + 1] += indptr[row];
}

void CorpusRows::fill(const Weighting& weighting, const int64_t* indptr, int32_t* indices, float* values,
                      int threads) const {
    std::vector<Cells> scratch(threads);
    auto fill_chunk = [&](int64_t i, int worker) {
        const CountedChunk& chunk = corpus_.chunks()[i];
        Cells& cells = scratch[worker];
        uint32_t entry = 0;
        for (size_t row = 0; row < chunk.row_ends.size(); ++row) {
            cells.packed.clear();
            for (; entry < chunk.row_ends[row]; ++entry) {
                const int32_t column = column_of(chunk.terms[entry]);
                if (column >= 0) cells.add(column, int32_t(chunk.counts[entry]));
            }
            cells.settle(n_columns_);
            const int64_t at = indptr[chunk.span.first + int64_t(row)];
            weigh_cells(cells, weighting, indices + at, values + at, int64_t(cells.packed.size()));
        }
    };
    parallel_for(int64_t(corpus_.chunks().size()), threads, fill_chunk);
}

}  // namespace ramify
