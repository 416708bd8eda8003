#include "text_grams.hpp"

#include <algorithm>
#include <bit>

namespace ramify {

void GramCounter::next_epoch() {
    if (++epoch_ != 0) return;
    std::fill(slots_.begin(), slots_.end(), Slot{});
    epoch_ = 1;
}

void GramCounter::start(int64_t expected) {
    // A small table for a small text, independent of earlier texts, stays in the first-level cache.
    const uint64_t capacity = std::bit_ceil(uint64_t(std::clamp<int64_t>(expected, 64, 1 << 16)));
    if (capacity > slots_.size()) slots_.resize(capacity);
    mask_ = capacity - 1;
    grams_.clear();
    next_epoch();
}

void GramCounter::grow() {
    const uint64_t capacity = 4 * (mask_ + 1);
    if (capacity > slots_.size()) slots_.resize(capacity);
    mask_ = capacity - 1;
    next_epoch();
    for (uint32_t gram = 0; gram < grams_.size(); ++gram) {
        uint64_t at = grams_[gram].hash & mask_;
        while (slots_[at].epoch == epoch_) at = (at + 1) & mask_;
        slots_[at] = {epoch_, gram};
    }
}

const std::vector<Gram>& GramReader::read(const TextView& text) {
    text_.decode(text, table_, settings_.spaces());
    counter_.start(text_.length());
    if (settings_.has_words()) {
        find_words();
        if (settings_.has_stems()) stem_words();
        count_words();
    }
    if (settings_.has_runs()) count_runs();
    if (settings_.has_characters() && settings_.within_words) count_characters_within_words();
    if (settings_.has_characters() && !settings_.within_words) count_windows(1, text_.length() + 1, settings_.characters_low, settings_.characters_high);
    return counter_.grams();
}

// Runs of at least two word characters: scikit-learn's \b\w\w+\b.
void GramReader::find_words() {
    words_.clear();
    const uint32_t* entries = text_.entries();
    const int64_t end = text_.length() + 1;
    for (int64_t i = 1; i < end; ++i) {
        if (!(entries[i] & kWord)) continue;
        const int64_t start = i;
        uint64_t hash = kWordSeed;
        for (; entries[i] & kWord; ++i) hash = hash_step(hash, entries[i] & kCodePoint);  // stops at the blank behind
        if (i - start >= 2) words_.push_back({hash_finish(hash), uint32_t(start)});
    }
}

const std::vector<GramReader::Word>& GramReader::words(const TextView& text) {
    text_.decode(text, table_, settings_.spaces());
    find_words();
    if (settings_.has_stems()) stem_words();
    return words_;
}

void GramReader::stem_words() {
    for (Word& word : words_) {
        const auto [stems, number] = settings_.find_stem(word.hash);
        if (stems != nullptr) word.hash = stems->stem_hash(number);
    }
}

void GramReader::collect_words(const TextView& text, WordCounts& found, std::vector<uint32_t>& codes) {
    text_.decode(text, table_, settings_.spaces());
    find_words();
    for (const Word& word : words_) {
        if (settings_.find_stem(word.hash).first != nullptr) continue;
        const uint32_t known = found.index.find(word.hash);
        if (known != HashIndex::kNone) {
            ++found.counts[known];
            continue;
        }
        codes.clear();
        for (const uint32_t* entry = text_.entries() + word.position; *entry & kWord; ++entry)
            codes.push_back(*entry & kCodePoint);
        found.add(word.hash, codes, 1);
    }
}

void GramReader::count_words() {
    const size_t n_words = words_.size();
    for (size_t first = 0; first < n_words; ++first) {
        const size_t longest = std::min(size_t(settings_.words_high), n_words - first);
        uint64_t hash = words_[first].hash;
        for (size_t length = 1; length <= longest; ++length) {
            if (length > 1) hash = hash_join(hash, words_[first + length - 1].hash);
            if (int(length) >= settings_.words_low) counter_.add(hash, words_[first].position, uint32_t(length));
        }
    }
}

void GramReader::count_characters_within_words() {
    const uint32_t* entries = text_.entries();
    const int64_t end = text_.length() + 1;
    for (int64_t i = 1; i < end; ++i) {
        if (entries[i] & kSpace) continue;
        const int64_t start = i;
        while (!(entries[i] & kSpace)) ++i;
        count_padded_word(start - 1, i + 1);
    }
}

void GramReader::count_runs() {
    const uint32_t* entries = text_.entries();
    const int64_t end = text_.length() + 1;
    for (int64_t i = 1; i < end; ++i) {
        if (!(entries[i] & kRun)) continue;
        const int64_t start = i;
        while (entries[i] & kRun) ++i;  // stops at the blank behind
        count_windows(start, i, settings_.runs_low, settings_.runs_high);
    }
}

// A word with its margins that is not longer than some n is counted whole, once, and no further.
void GramReader::count_padded_word(int64_t begin, int64_t end) {
    count_windows(begin, end, settings_.characters_low, settings_.characters_high);
    const int64_t length = end - begin;
    if (length >= settings_.characters_low) return;
    uint64_t hash = kCharacterSeed;
    for (int64_t i = begin; i < end; ++i) hash = hash_step(hash, text_.entries()[i] & kCodePoint);
    counter_.add(hash_finish(hash), uint32_t(begin), kCharacterTag | uint32_t(length));
}

// Every n-gram of low to high characters that lies within [begin, end).
void GramReader::count_windows(int64_t begin, int64_t end, int low, int high) {
    const uint32_t* entries = text_.entries();
    for (int64_t first = begin; first < end; ++first) {
        const int64_t longest = std::min<int64_t>(high, end - first);
        uint64_t hash = kCharacterSeed;
        for (int64_t length = 1; length <= longest; ++length) {
            hash = hash_step(hash, entries[first + length - 1] & kCodePoint);
            if (length >= low)
                counter_.add(hash_finish(hash), uint32_t(first), kCharacterTag | uint32_t(length));
        }
    }
}

}  // namespace ramify
