// Selection of the n-grams that become columns: limits on document frequency, a cap by term frequency, then the order of their names.
#pragma once
#include <cstdint>
#include <vector>

#include "text_names.hpp"

namespace ramify {

struct TermLimits {
    int64_t min_documents = 1;
    int64_t max_documents = INT64_MAX;
    int64_t max_terms = INT64_MAX;  // of words, and as many of characters
};

struct Vocabulary {
    std::vector<uint32_t> terms;  // column → term; words first, then characters, each in ascending order of names
    Names names;
    int64_t n_words = 0;  // columns that are n-grams of words
};

// Ties at the cap are broken by name.
Vocabulary choose_vocabulary(const Corpus& corpus, const TermLimits& limits, int threads);

// Open addressing, linear probing from hash mod the size: slots[i] is a column, or -1. The size is a power of two
// and above the number of columns.
void fill_slots(const uint64_t* hashes, int64_t n_columns, int32_t* slots, int64_t n_slots);

}  // namespace ramify
