// Counts → a row of X: n-grams become columns (through a vocabulary or by their hash), counts become weights
// tf · idf, and the row gets length 1. All rows of X are made here, so the bits of a row do not
// depend on the batch.
#pragma once
#include <cstdint>
#include <vector>

#include "text_corpus.hpp"

namespace ramify {

// A table at most half full has runs of a few dozen slots; only a manipulated one has longer ones.
constexpr uint64_t kMaxProbes = 1024;

// Columns of n-grams: a vocabulary (slots as fill_slots makes them), or without slots hash mod n_columns.
// Slots and hashes may come from a file; every access is within bounds.
struct ColumnMap {
    const int32_t* slots = nullptr;
    int64_t n_slots = 0;  // a power of two
    const uint64_t* hashes = nullptr;
    int64_t n_columns = 0;
    bool is_signed = false;  // hashing only: half of the n-grams have negative values

    // The column where probing begins: usually the result, or -1.
    int32_t first_column(uint64_t hash) const {
        const int32_t column = slots[hash & (uint64_t(n_slots) - 1)];
        return column < n_columns ? column : -1;
    }
    // The column, or -1.
    int32_t find(uint64_t hash, int32_t first) const {
        int32_t column = first;
        for (uint64_t step = 1; column >= 0 && hashes[column] != hash; ++step)
            column = step < kMaxProbes ? first_column(hash + step) : -1;
        return column;
    }
    int32_t hashed(uint64_t hash) const { return int32_t(hash % uint64_t(n_columns)); }
    int32_t sign(uint64_t hash) const { return is_signed && (hash >> 63) ? -1 : 1; }
};

struct Weighting {
    const float* idf = nullptr;  // one per column; null: all 1
    bool sublinear = true;       // 1 + log(count) instead of the count
    bool normalise = true;       // rows of length 1
};

// A column and a count in one number that sorts by column.
struct Cells {
    std::vector<uint64_t> packed;
    std::vector<uint64_t> scratch;
    std::vector<int32_t> first_columns;

    void add(int32_t column, int32_t count) { packed.push_back((uint64_t(uint32_t(column)) << 32) | uint32_t(count)); }
    static int32_t column(uint64_t cell) { return int32_t(cell >> 32); }
    static int32_t count(uint64_t cell) { return int32_t(uint32_t(cell)); }

    void find(const std::vector<Gram>& grams, const ColumnMap& columns);
    void find_hashed(const std::vector<Gram>& grams, const ColumnMap& columns);
    // Ascending columns, each once, none with count 0.
    void settle(int64_t n_columns);
};

// Writes at most `room` entries and returns their number.
int64_t weigh_cells(const Cells& cells, const Weighting& weighting, int32_t* indices, float* values, int64_t room);

// Texts → rows, kept in chunks until the caller has allocated memory for all of them.
class WeighedTexts {
public:
    WeighedTexts(const std::vector<TextView>& texts, const GramSettings& settings, const uint32_t* table)
        : texts_(texts), settings_(settings), table_(table) {}

    void weigh(const ColumnMap& columns, const Weighting& weighting, int threads, Monitor* monitor = nullptr);
    int64_t nnz() const;
    // Moves the rows out (indptr: texts + 1).
    void fill(int64_t* indptr, int32_t* indices, float* values);

private:
    struct Rows {
        TextSpan span;
        std::vector<int64_t> lengths;
        std::vector<int32_t> indices;
        std::vector<float> values;
    };

    const std::vector<TextView>& texts_;
    GramSettings settings_;
    const uint32_t* table_;
    std::vector<Rows> rows_;
};

// One text → its row; returns the number of entries, at most `room`.
int64_t weigh_text(GramReader& reader, const TextView& text, const ColumnMap& columns, const Weighting& weighting,
                   int32_t* indices, float* values, int64_t room);

// Adds to frequencies[column] the number of texts that have the column.
void count_columns(const std::vector<TextView>& texts, const GramSettings& settings, const uint32_t* table,
                   const ColumnMap& columns, int64_t* frequencies, int threads, Monitor* monitor = nullptr);

// The rows of a counted corpus for a chosen vocabulary.
class CorpusRows {
public:
    // terms: column → term.
    CorpusRows(const Corpus& corpus, const std::vector<uint32_t>& terms);

    void fill_indptr(int64_t* indptr, int threads) const;
    void fill(const Weighting& weighting, const int64_t* indptr, int32_t* indices, float* values, int threads) const;

private:
    int32_t column_of(uint32_t term) const {
        return columns_[term >> kTermBits][term & ((1u << kTermBits) - 1)];
    }

    const Corpus& corpus_;
    std::vector<std::vector<int32_t>> columns_;  // by part; -1: not in the vocabulary
    int64_t n_columns_;
};

}  // namespace ramify
