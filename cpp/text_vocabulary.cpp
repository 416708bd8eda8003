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

// Keeps terms more frequent than `frequency`, and the first `room` equally frequent ones in the order of names.
struct Cap {
    uint64_t frequency = 0;
    int64_t room = 0;
};

// Removes terms below the cap.
Cap cap_terms(const Corpus& corpus, std::vector<TermPlace>& places, int64_t max_terms) {
    if (int64_t(places.size()) <= max_terms) return {};
    std::vector<uint64_t> descending;
    descending.reserve(places.size());
    for (const TermPlace& place : places) descending.push_back(corpus.term(place.term).frequency);
    std::nth_element(descending.begin(), descending.begin() + (max_terms - 1), descending.end(), std::greater<>());
    const uint64_t lowest = descending[max_terms - 1];
    const auto above = std::count_if(descending.begin(), descending.begin() + max_terms,
                                     [&](uint64_t frequency) { return frequency > lowest; });
    std::erase_if(places, [&](const TermPlace& place) { return corpus.term(place.term).frequency < lowest; });
    return {lowest, max_terms - int64_t(above)};
}

void append(const Corpus& corpus, const SortedTerms& sorted, Cap cap, Vocabulary& vocabulary) {
    std::vector<char>& blob = vocabulary.names.blob;
    vocabulary.terms.reserve(vocabulary.terms.size() + sorted.terms.size());
    vocabulary.names.offsets.reserve(vocabulary.names.offsets.size() + sorted.terms.size());
    blob.reserve(blob.size() + sorted.names.blob.size());
    for (size_t i = 0; i < sorted.terms.size(); ++i) {
        if (corpus.term(sorted.terms[i]).frequency == cap.frequency && cap.room-- <= 0) continue;
        const auto begin = sorted.names.blob.begin();
        vocabulary.terms.push_back(sorted.terms[i]);
        blob.insert(blob.end(), begin + sorted.names.offsets[i], begin + sorted.names.offsets[i + 1]);
        vocabulary.names.offsets.push_back(int64_t(blob.size()));
    }
}

}  // namespace

Vocabulary choose_vocabulary(const Corpus& corpus, const TermLimits& limits, int threads) {
    Vocabulary vocabulary;
    for (const uint32_t kind : {uint32_t(0), kCharacterTag}) {
        std::vector<TermPlace> places = terms_within(corpus, limits, kind);
        const Cap cap = cap_terms(corpus, places, limits.max_terms);
        append(corpus, sort_by_name(corpus, places, threads), cap, vocabulary);
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
