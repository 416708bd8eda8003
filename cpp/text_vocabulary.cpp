#include "text_vocabulary.hpp"

#include <algorithm>
#include <functional>

namespace ramify {

namespace {

std::vector<TermPlace> terms_within(const Corpus& corpus, const TermLimits& limits, uint32_t kind) {
    std::vector<TermPlace> kept;
    for (uint32_t part = 0; part < uint32_t(kParts); ++part) {
        const std::vector<Term>& terms = corpus.parts()[part].terms;
        for (uint32_t i = 0; i < terms.size(); ++i) {
            const int64_t documents = terms[i].documents;
            if ((terms[i].tag & kCharacterTag) != kind) continue;
            if (documents < limits.min_documents || documents > limits.max_documents) continue;
            kept.push_back({(part << kTermBits) | i, terms[i].text, terms[i].position, terms[i].tag});
        }
    }
    return kept;
}

void cap_terms(const Corpus& corpus, std::vector<TermPlace>& places, int64_t max_terms, int threads) {
    if (int64_t(places.size()) <= max_terms) return;
    std::vector<uint64_t> frequencies;
    for (const TermPlace& place : places) frequencies.push_back(corpus.term(place.term).frequency);
    std::vector<uint64_t> descending = frequencies;
    std::nth_element(descending.begin(), descending.begin() + (max_terms - 1), descending.end(), std::greater<>());
    const uint64_t lowest = descending[max_terms - 1];
    std::vector<TermPlace> kept, equal;
    for (size_t i = 0; i < places.size(); ++i) {
        if (frequencies[i] > lowest) kept.push_back(places[i]);
        if (frequencies[i] == lowest) equal.push_back(places[i]);
    }
    std::vector<uint32_t> stay = sort_by_name(corpus, equal, threads).terms;
    stay.resize(max_terms - int64_t(kept.size()));
    std::sort(stay.begin(), stay.end());
    for (const TermPlace& place : equal)
        if (std::binary_search(stay.begin(), stay.end(), place.term)) kept.push_back(place);
    places.swap(kept);
}

void append(Vocabulary& vocabulary, SortedTerms sorted) {
    if (vocabulary.terms.empty()) {
        vocabulary.terms.swap(sorted.terms);
        std::swap(vocabulary.names, sorted.names);
        return;
    }
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
        std::vector<TermPlace> places = terms_within(corpus, limits, kind);
        cap_terms(corpus, places, limits.max_terms, threads);
        append(vocabulary, sort_by_name(corpus, places, threads));
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
