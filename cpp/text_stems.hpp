// Stems of words. The stems themselves come from the caller, once for each distinct word; here the hash of a word is
// replaced by that of its stem, so that n-grams of words are n-grams of stems.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "text_document.hpp"

namespace ramify {

// Hash → number, in the order of insertion; numbers are below 2^32 - 1.
class HashIndex {
public:
    static constexpr uint32_t kNone = UINT32_MAX;

    uint32_t find(uint64_t hash) const {
        for (uint64_t at = hash & mask_; slots_[at] != 0; at = (at + 1) & mask_)
            if (hashes_[slots_[at] - 1] == hash) return slots_[at] - 1;
        return kNone;
    }
    // The number of a hash, and whether it is new.
    std::pair<uint32_t, bool> insert(uint64_t hash);
    const std::vector<uint64_t>& hashes() const { return hashes_; }

private:
    void grow();

    std::vector<uint64_t> hashes_;
    std::vector<uint32_t> slots_ = std::vector<uint32_t>(64, 0);  // 1 + number, 0: free
    uint64_t mask_ = 63;
};

// Strings of code points.
class CodeStrings {
public:
    size_t size() const { return ends_.size(); }
    std::span<const uint32_t> operator[](size_t i) const {
        const uint64_t begin = i == 0 ? 0 : ends_[i - 1];
        return {codes_.data() + begin, size_t(ends_[i] - begin)};
    }
    void add(std::span<const uint32_t> codes) {
        codes_.insert(codes_.end(), codes.begin(), codes.end());
        ends_.push_back(codes_.size());
    }

private:
    std::vector<uint32_t> codes_;
    std::vector<uint64_t> ends_;
};

// The hash of a word or of a stem, as GramReader computes it.
uint64_t hash_word(std::span<const uint32_t> codes);

// Word → stem, unchanged once made. A word that occurs twice keeps its first stem.
class StemTable {
public:
    StemTable(const std::vector<TextView>& words, const std::vector<TextView>& stems);

    uint32_t find(uint64_t word) const { return words_.find(word); }
    uint64_t stem_hash(uint32_t number) const { return stem_hashes_[number]; }
    std::span<const uint32_t> stem(uint32_t number) const { return stems_[number]; }

private:
    HashIndex words_;
    std::vector<uint64_t> stem_hashes_;
    CodeStrings stems_;
};

struct GramSettings;

// Distinct words, with their numbers of occurrences.
struct WordCounts {
    HashIndex index;
    CodeStrings words;
    std::vector<int64_t> counts;

    void add(uint64_t hash, std::span<const uint32_t> codes, int64_t count);
};

class Monitor;

// The words of the texts that the stem tables of the settings lack. Their order depends on the number of threads.
WordCounts words_without_stem(const std::vector<TextView>& texts, const GramSettings& settings, const uint32_t* table,
                              int threads, Monitor* monitor = nullptr);

}  // namespace ramify
