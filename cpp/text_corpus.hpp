// Many texts → the distinct n-grams of all of them, with document and term frequencies, and per text the numbers of
// its n-grams. Blocks of texts go through two parallel steps: read (by chunks of texts) and absorb (by parts of the
// hash range). A part takes the chunks in their order, so that numbers, counts and first occurrences are the same for
// any number of threads; there is no merging, and no thread waits for another.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "parallel.hpp"
#include "text_grams.hpp"

namespace ramify {

constexpr int kPartBits = 6;
constexpr int kParts = 1 << kPartBits;
constexpr int kTermBits = 32 - kPartBits;  // a term's number: its part, then its place there

struct alignas(32) Term {  // two to a cache line
    uint64_t hash;
    uint64_t frequency;  // occurrences in all texts
    uint32_t text;       // first occurrence ...
    uint32_t position;
    uint32_t documents;  // texts that have it
    uint32_t tag;
};

struct TextSpan {
    int64_t first;
    int64_t last;
};

// Consecutive texts of about `characters` code points together.
std::vector<TextSpan> split_texts(const std::vector<TextView>& texts, int64_t characters);

class TermPart {
public:
    // Number of the term within this part, assigned at its first occurrence.
    uint32_t number_of(uint64_t hash);
    void prefetch_slot(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
    void prefetch_term(uint64_t hash) const {
        const uint32_t slot = slots_[hash & (slots_.size() - 1)];
        if (slot != 0) __builtin_prefetch(&terms[slot - 1]);
    }
    std::vector<Term> terms;

private:
    void grow();

    std::vector<uint32_t> slots_ = std::vector<uint32_t>(256, 0);  // 1 + number, 0: free
};

// The texts of a chunk: text i has entries [row_ends[i - 1], row_ends[i]).
struct CountedChunk {
    TextSpan span;
    std::vector<uint32_t> row_ends;
    std::vector<uint32_t> terms;
    std::vector<uint32_t> counts;
};

class Corpus {
public:
    Corpus(std::vector<TextView> texts, const GramSettings& settings, const uint32_t* table)
        : texts_(std::move(texts)), settings_(settings), table_(table), parts_(kParts) {}

    // keep_rows: whether rows are needed later, or frequencies only.
    void count(bool keep_rows, int threads, Monitor* monitor = nullptr);

    // Frees the terms, which the rows do not need.
    void release_terms();

    const std::vector<TextView>& texts() const { return texts_; }
    const GramSettings& settings() const { return settings_; }
    const uint32_t* table() const { return table_; }
    const std::vector<TermPart>& parts() const { return parts_; }
    const std::vector<CountedChunk>& chunks() const { return chunks_; }
    const Term& term(uint32_t number) const {
        return parts_[number >> kTermBits].terms[number & ((1u << kTermBits) - 1)];
    }
    std::vector<int64_t> part_sizes() const;

private:
    struct Pending {  // an entry on its way to its part
        uint64_t hash;
        uint32_t position;
        uint32_t count;
        uint32_t entry;
        uint32_t tag;
    };
    struct PendingChunk {
        std::vector<Pending> read;
        std::vector<Pending> by_part;
        std::array<uint32_t, kParts + 1> begin;
    };

    void read_chunk(CountedChunk& chunk, PendingChunk& pending, GramReader& reader) const;
    void sort_by_part(PendingChunk& pending) const;
    void absorb(int part, const PendingChunk& pending, CountedChunk& chunk, bool keep_rows);

    std::vector<TextView> texts_;
    GramSettings settings_;
    const uint32_t* table_;
    std::vector<TermPart> parts_;
    std::vector<CountedChunk> chunks_;
};

}  // namespace ramify
