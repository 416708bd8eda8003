#include "text_vocabulary.hpp"

#include <algorithm>
#include <functional>

namespace ramify {

namespace {

std::vector<uint32_t> terms_within(const Corpus& corpus, const TermLimits& limits, uint32_t kind) {
    std::vector<uint32_t> kept;
    for (uint32_t part = 0; part < uint32_t(kParts); ++part) {
        const std::vector<Term>& terms = corpus.parts()[part].terms;
        for (uint32_t i = 0; i < terms.size(); ++i) {
            const int64_t documents = terms[i].documents;
            if ((terms[i].tag & kCharacterTag) != kind) continue;
            if (documents < limits.min_documents || documents > limits.max_documents) continue;
            kept.push_back((part << kTermBits) | i);
        }
    }
    return kept;
}

void cap_terms(const Corpus& corpus, std::vector<uint32_t>& terms, int64_t max_terms, int threads) {
    if (int64_t(terms.size()) <= max_terms) return;
    std::vector<uint64_t> frequencies;
    for (const uint32_t term : terms) frequencies.push_back(corpus.term(term).frequency);
    std::nth_element(frequencies.begin(), frequencies.begin() + (max_terms - 1), frequencies.end(), std::greater<>());
    const uint64_t lowest = frequencies[max_terms - 1];
    std::vector<uint32_t> above, equal;
    for (const uint32_t term : terms) {
        if (corpus.term(term).frequency > lowest) above.push_back(term);
        if (corpus.term(term).frequency == lowest) equal.push_back(term);
    }
    equal = sort_by_name(corpus, std::move(equal), threads).terms;
    above.insert(above.end(), equal.begin(), equal.begin() + (max_terms - int64_t(above.size())));
    terms.swap(above);
}

void append(Vocabulary& vocabulary, const SortedTerms& sorted) {
    const int64_t before = vocabulary.names.offsets.back();
    vocabulary.terms.insert(vocabulary.terms.end(), sorted.terms.begin(), sorted.terms.end());
    vocabulary.names.blob.insert(vocabulary.names.blob.end(), sorted.names.blob.begin(), sorted.names.blob.end());
    for (size_t i = 1; i < sorted.names.offsets.size(); ++i)
        vocabulary.names.offsets.push_back(before + sorted.names.offsets[i]);
}

}  // namespace

Vocabulary choose_vocabulary(const Corpus& corpus, const TermLimits& limits, int threads) {
    Vocabulary vocabulary;
    for (const uint32_t kind : {uint32_t(0), kCharacterTag}) {
        std::vector<uint32_t> terms = terms_within(corpus, limits, kind);
        cap_terms(corpus, terms, limits.max_terms, threads);
        append(vocabulary, sort_by_name(corpus, std::move(terms), threads));
        if (kind == 0) vocabulary.n_words = int64_t(vocabulary.terms.size());
    }
    return vocabulary;
}

void fill_slots(const uint64_t* hashes, int64_t n_columns, int32_t* slots, int64_t n_slots) {
    std::fill(slots, slots + n_slots, -1);
    const uint64_t mask = uint64_t(n_slots) - 1;
    for (int64_t column = 0; column < n_columns; ++column) {
        uint64_t at = hashes[column] & mask;
        while (slots[at] != -1) at = (at + 1) & mask;
        slots[at] = int32_t(column);
    }
}

}  // namespace ramify
