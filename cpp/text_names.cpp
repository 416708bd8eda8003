#include "text_names.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ramify {

namespace {

constexpr int64_t kTermsPerTask = 4096;

void append_many_bytes(uint32_t code, std::vector<char>& out) {
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

inline void append_utf8(uint32_t code, std::vector<char>& out) {
    if (code < 0x80) return out.push_back(char(code));
    append_many_bytes(code, out);
}

// n words from `at` on, a blank between: what stands between them in the text (and single characters) is not told.
void append_words(const uint32_t* entries, int64_t at, uint32_t n_words, std::vector<char>& out) {
    for (uint32_t word = 0; word < n_words; ++word) {
        if (word > 0) out.push_back(' ');
        while (!(entries[at] & entries[at + 1] & kWord)) ++at;  // single characters are no words
        for (; entries[at] & kWord; ++at) append_utf8(entries[at] & kCodePoint, out);
    }
}

void append_name(const DecodedText& text, const TermPlace& term, std::vector<char>& out) {
    const uint32_t* entries = text.entries();
    if (!(term.tag & kCharacterTag)) return append_words(entries, term.position, term.tag, out);
    const uint32_t length = term.tag & (kCharacterTag - 1);
    for (uint32_t i = 0; i < length; ++i) append_utf8(entries[term.position + i] & kCodePoint, out);
}

// By counting, so that each text is decoded once.
std::vector<TermPlace> order_by_text(const std::vector<TermPlace>& places, size_t n_texts) {
    std::vector<uint32_t> next(n_texts + 1, 0);
    for (const TermPlace& place : places) ++next[place.text + 1];
    for (size_t text = 0; text < n_texts; ++text) next[text + 1] += next[text];
    std::vector<TermPlace> ordered(places.size());
    for (const TermPlace& place : places) ordered[next[place.text]++] = place;
    return ordered;
}

Names read_names(const Corpus& corpus, const TermPlace* places, int64_t n_places) {
    Names names;
    DecodedText text;
    int64_t decoded = -1;
    for (int64_t i = 0; i < n_places; ++i) {
        if (decoded != places[i].text) {
            decoded = places[i].text;
            text.decode(corpus.texts()[decoded], corpus.table(), corpus.settings().spaces());
        }
        append_name(text, places[i], names.blob);
        names.offsets.push_back(int64_t(names.blob.size()));
    }
    return names;
}

uint64_t eight_bytes(const char* bytes, int64_t length) {
    uint64_t key = 0;
    if (length >= 8 && std::endian::native == std::endian::little) {
        std::memcpy(&key, bytes, 8);
        return __builtin_bswap64(key);
    }
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

void append_keys(const Names& names, const TermPlace* places, SortKey* out) {
    for (size_t i = 0; i + 1 < names.offsets.size(); ++i) {
        const char* bytes = names.blob.data() + names.offsets[i];
        const int64_t length = names.offsets[i + 1] - names.offsets[i];
        const uint64_t low = length > 8 ? eight_bytes(bytes + 8, length - 8) : 0;
        out[i] = {eight_bytes(bytes, length), low, bytes, uint32_t(length), places[i].term};
    }
}

// By the first two bytes into buckets, then each bucket by itself.
std::vector<SortKey> sort_keys(const std::vector<SortKey>& keys, int threads) {
    constexpr int64_t kBuckets = 1 << 16;
    std::vector<uint32_t> end(kBuckets + 1, 0);
    for (const SortKey& key : keys) ++end[(key.high >> 48) + 1];
    for (int64_t bucket = 0; bucket < kBuckets; ++bucket) end[bucket + 1] += end[bucket];
    std::vector<SortKey> sorted(keys.size());
    for (const SortKey& key : keys) sorted[end[key.high >> 48]++] = key;  // now end[b] is where bucket b ends
    constexpr int64_t kBucketsPerTask = 16;
    auto sort_buckets = [&](int64_t task, int) {
        for (int64_t bucket = task * kBucketsPerTask; bucket < (task + 1) * kBucketsPerTask; ++bucket) {
            const uint32_t begin = bucket == 0 ? 0 : end[bucket - 1];
            std::sort(sorted.begin() + begin, sorted.begin() + end[bucket]);
        }
    };
    parallel_for(kBuckets / kBucketsPerTask, threads, sort_buckets);
    return sorted;
}

}  // namespace

SortedTerms sort_by_name(const Corpus& corpus, const std::vector<TermPlace>& places, int threads) {
    const std::vector<TermPlace> ordered = order_by_text(places, corpus.texts().size());
    const int64_t n_places = int64_t(ordered.size());
    const int64_t n_tasks = (n_places + kTermsPerTask - 1) / kTermsPerTask;
    std::vector<Names> names(n_tasks);
    std::vector<SortKey> keys(n_places);
    auto read = [&](int64_t task, int) {
        const TermPlace* first = ordered.data() + task * kTermsPerTask;
        names[task] = read_names(corpus, first, std::min(kTermsPerTask, n_places - task * kTermsPerTask));
        append_keys(names[task], first, keys.data() + task * kTermsPerTask);
    };
    parallel_for(n_tasks, threads, read);
    SortedTerms sorted;
    sorted.terms.reserve(n_places);
    sorted.names.offsets.reserve(n_places + 1);
    for (const SortKey& key : sort_keys(keys, threads)) {
        sorted.terms.push_back(key.term);
        sorted.names.blob.insert(sorted.names.blob.end(), key.bytes, key.bytes + key.length);
        sorted.names.offsets.push_back(int64_t(sorted.names.blob.size()));
    }
    return sorted;
}

}  // namespace ramify
