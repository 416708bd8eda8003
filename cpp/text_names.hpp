// The strings of n-grams, read again at their first occurrence, and their order.
#pragma once
#include <cstdint>
#include <vector>

#include "text_corpus.hpp"

namespace ramify {

// String i is blob[offsets[i], offsets[i + 1]), UTF-8 (lone surrogates as three bytes each).
struct Names {
    std::vector<char> blob;
    std::vector<int64_t> offsets = {0};
};

// What the name of a term is read from, out of the large table of terms.
struct TermPlace {
    uint32_t term;
    uint32_t text;
    uint32_t position;
    uint32_t tag;
};

// Terms in ascending order of their names (of bytes, which is that of code points), with the names.
struct SortedTerms {
    std::vector<uint32_t> terms;
    Names names;
};

SortedTerms sort_by_name(const Corpus& corpus, const std::vector<TermPlace>& places, int threads);

}  // namespace ramify
