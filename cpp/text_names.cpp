#include "text_names.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ramify {

namespace {

constexpr int64_t kTermsPerTask = 4096;

void append_utf8(uint32_t code, std::vector<char>& out) {
    if (code < 0x80) {
        out.push_back(char(code));
        return;
    }
    if (code < 0x800) {
        out.push_back(char(0xC0 | (code >> 6)));
    } else {
        if (code < 0x10000) {
            out.push_back(char(0xE0 | (code >> 12)));
        } else {
            out.push_back(char(0xF0 | (code >> 18)));
            out.push_back(char(0x80 | ((code >> 12) & 0x3F)));
        }
        out.push_back(char(0x80 | ((code >> 6) & 0x3F)));
    }
    out.push_back(char(0x80 | (code & 0x3F)));
}

// n words from `at` on, a blank between: what stands between them in the text (and single characters) is not told.
void append_words(const uint32_t* entries, int64_t at, uint32_t n_words, std::vector<char>& out) {
    for (uint32_t word = 0; word < n_words; ++word) {
        if (word > 0) out.push_back(' ');
        while (!(entries[at] & entries[at + 1] & kWord)) ++at;  // single characters are no words
        for (; entries[at] & kWord; ++at) append_utf8(entries[at] & kCodePoint, out);
    }
}

void append_name(const DecodedText& text, const Term& term, std::vector<char>& out) {
    const uint32_t* entries = text.entries();
    if (!(term.tag & kCharacterTag)) return append_words(entries, term.position, term.tag, out);
    const uint32_t length = term.tag & (kCharacterTag - 1);
    for (uint32_t i = 0; i < length; ++i) append_utf8(entries[term.position + i] & kCodePoint, out);
}

void sort_by_text(const Corpus& corpus, std::vector<uint32_t>& terms) {
    std::vector<std::pair<uint64_t, uint32_t>> keys;
    keys.reserve(terms.size());
    for (const uint32_t number : terms) {
        const Term& term = corpus.term(number);
        keys.push_back({(uint64_t(term.text) << 32) | term.position, number});
    }
    std::sort(keys.begin(), keys.end());
    for (size_t i = 0; i < keys.size(); ++i) terms[i] = keys[i].second;
}

// Names of terms that stand in the order of their texts, so that each text is decoded once.
Names read_names(const Corpus& corpus, const uint32_t* terms, int64_t n_terms) {
    Names names;
    DecodedText text;
    int64_t decoded = -1;
    for (int64_t i = 0; i < n_terms; ++i) {
        const Term& term = corpus.term(terms[i]);
        if (decoded != term.text) {
            decoded = term.text;
            text.decode(corpus.texts()[decoded], corpus.table(), corpus.settings().spaces());
        }
        append_name(text, term, names.blob);
        names.offsets.push_back(int64_t(names.blob.size()));
    }
    return names;
}

uint64_t eight_bytes(const char* bytes, int64_t length) {
    uint64_t key = 0;
    for (int64_t i = 0; i < 8; ++i) key = (key << 8) | (i < length ? uint8_t(bytes[i]) : 0);
    return key;
}

// The first 16 bytes decide most comparisons without a look at the string.
struct SortKey {
    uint64_t high;
    uint64_t low;
    const char* bytes;
    uint32_t length;
    uint32_t term;

    bool operator<(const SortKey& other) const {
        if (high != other.high) return high < other.high;
        if (low != other.low) return low < other.low;
        const int order = std::memcmp(bytes, other.bytes, std::min(length, other.length));
        return order != 0 ? order < 0 : length < other.length;
    }
};

std::vector<SortKey> sort_keys(const Names& names, const uint32_t* terms) {
    std::vector<SortKey> keys(names.offsets.size() - 1);
    for (size_t i = 0; i < keys.size(); ++i) {
        const char* bytes = names.blob.data() + names.offsets[i];
        const int64_t length = names.offsets[i + 1] - names.offsets[i];
        const uint64_t low = length > 8 ? eight_bytes(bytes + 8, length - 8) : 0;
        keys[i] = {eight_bytes(bytes, length), low, bytes, uint32_t(length), terms[i]};
    }
    std::sort(keys.begin(), keys.end());
    return keys;
}

// Sorted runs → one, two by two.
std::vector<SortKey> merge_runs(std::vector<std::vector<SortKey>> runs, int threads) {
    while (runs.size() > 1) {
        std::vector<std::vector<SortKey>> merged((runs.size() + 1) / 2);
        auto merge = [&](int64_t i, int) {
            std::vector<SortKey>& left = runs[2 * i];
            if (2 * i + 1 == int64_t(runs.size())) return merged[i].swap(left);
            std::vector<SortKey>& right = runs[2 * i + 1];
            merged[i].resize(left.size() + right.size());
            std::merge(left.begin(), left.end(), right.begin(), right.end(), merged[i].begin());
            std::vector<SortKey>().swap(left);
            std::vector<SortKey>().swap(right);
        };
        parallel_for(int64_t(merged.size()), threads, merge);
        runs.swap(merged);
    }
    return runs.empty() ? std::vector<SortKey>() : std::move(runs[0]);
}

}  // namespace

SortedTerms sort_by_name(const Corpus& corpus, std::vector<uint32_t> terms, int threads) {
    sort_by_text(corpus, terms);
    const int64_t n_tasks = (int64_t(terms.size()) + kTermsPerTask - 1) / kTermsPerTask;
    std::vector<Names> names(n_tasks);
    std::vector<std::vector<SortKey>> runs(n_tasks);
    auto read = [&](int64_t task, int) {
        const int64_t begin = task * kTermsPerTask;
        const int64_t n_terms = std::min(kTermsPerTask, int64_t(terms.size()) - begin);
        names[task] = read_names(corpus, terms.data() + begin, n_terms);
        runs[task] = sort_keys(names[task], terms.data() + begin);
    };
    parallel_for(n_tasks, threads, read);
    SortedTerms sorted;
    for (const SortKey& key : merge_runs(std::move(runs), threads)) {
        sorted.terms.push_back(key.term);
        sorted.names.blob.insert(sorted.names.blob.end(), key.bytes, key.bytes + key.length);
        sorted.names.offsets.push_back(int64_t(sorted.names.blob.size()));
    }
    return sorted;
}

}  // namespace ramify
