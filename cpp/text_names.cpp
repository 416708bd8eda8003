#include "text_names.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>

namespace ramify {

namespace {

constexpr int64_t kTaskSize = 1 << 16;  // code points to decode and terms to name, of one task
constexpr int64_t kLongText = 1 << 20;  // code points from which the threads share one decoded copy

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

// The stem of the word at `at` if it has one, else the word. Returns the position behind the word.
int64_t append_word(const uint32_t* entries, int64_t at, const GramSettings& settings, std::vector<char>& out) {
    const size_t begin = out.size();
    uint64_t hash = kWordSeed;
    for (; entries[at] & kWord; ++at) {
        append_utf8(entries[at] & kCodePoint, out);
        if (settings.has_stems()) hash = hash_step(hash, entries[at] & kCodePoint);
    }
    if (!settings.has_stems()) return at;
    const auto [stems, number] = settings.find_stem(hash_finish(hash));
    if (stems == nullptr) return at;
    out.resize(begin);
    for (const uint32_t code : stems->stem(number)) append_utf8(code, out);
    return at;
}

// n words from `at` on, a blank between: what stands between them in the text (and single characters) is left out.
void append_words(const uint32_t* entries, int64_t at, uint32_t n_words, const GramSettings& settings,
                  std::vector<char>& out) {
    for (uint32_t word = 0; word < n_words; ++word) {
        if (word > 0) out.push_back(' ');
        while (!(entries[at] & entries[at + 1] & kWord)) ++at;  // single characters are no words
        at = append_word(entries, at, settings, out);
    }
}

void append_name(const DecodedText& text, const TermPlace& term, const GramSettings& settings,
                 std::vector<char>& out) {
    const uint32_t* entries = text.entries();
    if (!(term.tag & kCharacterTag)) return append_words(entries, term.position, term.tag, settings, out);
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

uint64_t eight_bytes(const char* bytes, int64_t length) {
    uint64_t key = 0;
    if (length >= 8 && std::endian::native == std::endian::little) {
        std::memcpy(&key, bytes, 8);
        return __builtin_bswap64(key);
    }
    for (int64_t i = 0; i < 8; ++i) key = (key << 8) | (i < length ? uint8_t(bytes[i]) : 0);
    return key;
}

// The first 16 bytes decide most comparisons without access to the string.
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

// By the first two bytes into buckets, then each bucket separately.
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

struct Range {
    int64_t first;
    int64_t last;
};

// Ranges of the ordered places: long texts one by one, and the others together in tasks of about equal size.
struct Plan {
    std::vector<Range> tasks;
    std::vector<Range> long_texts;
};

Plan plan_reading(const std::vector<TermPlace>& places, const std::vector<TextView>& texts) {
    Plan plan;
    int64_t size = kTaskSize;  // of the last task
    const int64_t n_places = int64_t(places.size());
    for (int64_t first = 0, last; first < n_places; first = last) {
        const uint32_t text = places[first].text;
        for (last = first + 1; last < n_places && places[last].text == text;) ++last;
        if (texts[text].length >= kLongText) {
            plan.long_texts.push_back({first, last});
            size = kTaskSize;
            continue;
        }
        if (size >= kTaskSize) {
            plan.tasks.push_back({first, first});
            size = 0;
        }
        plan.tasks.back().last = last;
        size += texts[text].length + (last - first);
    }
    return plan;
}

// Reads the names of places that are in the order of their texts, each text decoded once, and makes their keys.
class NameReader {
public:
    NameReader(const Corpus& corpus, std::vector<TermPlace> places, int threads)
        : corpus_(corpus), places_(std::move(places)), threads_(threads), keys_(places_.size()) {}

    const std::vector<SortKey>& read() {
        const Plan plan = plan_reading(places_, corpus_.texts());
        std::vector<Names>& names = names_.emplace_back(plan.tasks.size());
        auto read_task = [&](int64_t task, int) { read_texts(plan.tasks[task], names[task]); };
        parallel_for(int64_t(plan.tasks.size()), threads_, read_task);
        DecodedText text;
        for (const Range& range : plan.long_texts) read_long_text(range, text);
        return keys_;
    }

private:
    void decode(const TermPlace& place, DecodedText& text) const {
        text.decode(corpus_.texts()[place.text], corpus_.table(), corpus_.settings().spaces());
    }

    void read_texts(Range range, Names& names) {
        DecodedText text;
        for (int64_t first = range.first, last; first < range.last; first = last) {
            for (last = first + 1; last < range.last && places_[last].text == places_[first].text;) ++last;
            decode(places_[first], text);
            append_names(text, {first, last}, names);
        }
        append_keys(names, places_.data() + range.first, keys_.data() + range.first);
    }

    void read_long_text(Range range, DecodedText& text) {
        decode(places_[range.first], text);
        const int64_t n_tasks = (range.last - range.first + kTaskSize - 1) / kTaskSize;
        std::vector<Names>& names = names_.emplace_back(n_tasks);
        auto read_task = [&](int64_t task, int) {
            const int64_t first = range.first + task * kTaskSize;
            append_names(text, {first, std::min(first + kTaskSize, range.last)}, names[task]);
            append_keys(names[task], places_.data() + first, keys_.data() + first);
        };
        parallel_for(n_tasks, threads_, read_task);
    }

    void append_names(const DecodedText& text, Range range, Names& names) const {
        for (int64_t i = range.first; i < range.last; ++i) {
            append_name(text, places_[i], corpus_.settings(), names.blob);
            names.offsets.push_back(int64_t(names.blob.size()));
        }
    }

    const Corpus& corpus_;
    const std::vector<TermPlace> places_;
    const int threads_;
    std::vector<SortKey> keys_;
    std::deque<std::vector<Names>> names_;  // memory that the keys point into
};

}  // namespace

SortedTerms sort_by_name(const Corpus& corpus, const std::vector<TermPlace>& places, int threads) {
    NameReader reader(corpus, order_by_text(places, corpus.texts().size()), threads);
    SortedTerms sorted;
    sorted.terms.reserve(places.size());
    sorted.names.offsets.reserve(places.size() + 1);
    for (const SortKey& key : sort_keys(reader.read(), threads)) {
        sorted.terms.push_back(key.term);
        sorted.names.blob.insert(sorted.names.blob.end(), key.bytes, key.bytes + key.length);
        sorted.names.offsets.push_back(int64_t(sorted.names.blob.size()));
    }
    return sorted;
}

}  // namespace ramify
