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

// The same terms in ascending order of their names (of bytes, which is that of code points), with the names.
struct SortedTerms {
    std::vector<uint32_t> terms;
    Names names;
};

SortedTerms sort_by_name(const Corpus& corpus, std::vector<uint32_t> terms, int threads);

}  // namespace ramify
