// One text → its distinct n-grams of words (or of their stems) and of characters with their counts, known by 64-bit hashes: no string is
// built. Two n-grams with one hash are counted as one. With ten million distinct n-grams the probability of any
// collision is 3 in a million, so collisions are not detected.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "text_document.hpp"
#include "text_stems.hpp"

namespace ramify {

// n-gram lengths from low to high; high 0 turns the kind off. Characters within words are scikit-learn's "char_wb"
// (words by white space, a blank on both sides), else its "char".
struct GramSettings {
    int words_low = 1;
    int words_high = 2;
    int characters_low = 0;
    int characters_high = 0;
    int runs_low = 0;  // characters in runs of code points with kRun
    int runs_high = 0;
    bool within_words = true;
    bool lowercase = true;  // used by the maker of the table and the texts, not by the kernels
    std::shared_ptr<const StemTable> stems;       // null: words are not stemmed
    std::shared_ptr<const StemTable> more_stems;  // of words that the first table lacks

    bool has_words() const { return words_high > 0; }
    bool has_characters() const { return characters_high > 0; }
    bool has_runs() const { return runs_high > 0; }
    bool has_stems() const { return stems != nullptr || more_stems != nullptr; }
    // The table that has the word, and its number there; null for a word without a stem.
    std::pair<const StemTable*, uint32_t> find_stem(uint64_t word) const {
        for (const StemTable* table : {stems.get(), more_stems.get()}) {
            const uint32_t number = table == nullptr ? HashIndex::kNone : table->find(word);
            if (number != HashIndex::kNone) return {table, number};
        }
        return {nullptr, 0};
    }
    Spaces spaces() const {
        if (!has_characters()) return Spaces::keep;
        return within_words ? Spaces::blank : Spaces::collapse;
    }
};

// The hash is part of the saved format: a vocabulary is looked up by it.
constexpr uint64_t kWordSeed = 0x2545F4914F6CDD1Dull;
constexpr uint64_t kCharacterSeed = 0xD6E8FEB86659FD93ull;  // distinguishes "the" from the word "the"

// Few operations, because each character depends on the one before; hash_finish completes the mixing.
inline uint64_t hash_step(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x9E3779B97F4A7C15ull; }

inline uint64_t hash_finish(uint64_t hash) {
    hash = (hash ^ (hash >> 29)) * 0xBF58476D1CE4E5B9ull;
    return hash ^ (hash >> 32);
}

// The n-gram longer by one word.
inline uint64_t hash_join(uint64_t gram, uint64_t word) { return hash_finish(((gram << 23) | (gram >> 41)) ^ word); }

constexpr uint32_t kCharacterTag = 1u << 8;

struct Gram {
    uint64_t hash;
    uint32_t position;  // of its first occurrence, in DecodedText::entries()
    uint32_t count;
    uint32_t tag;  // its length in words, or kCharacterTag | its length in characters
};

// Counts equal hashes; cleared in constant time between texts.
class GramCounter {
public:
    void start(int64_t expected);

    void add(uint64_t hash, uint32_t position, uint32_t tag) {
        if (2 * grams_.size() >= mask_) grow();
        for (uint64_t at = hash & mask_;; at = (at + 1) & mask_) {
            Slot& slot = slots_[at];
            if (slot.epoch != epoch_) {
                slot = {epoch_, uint32_t(grams_.size())};
                grams_.push_back({hash, position, 1, tag});
                return;
            }
            if (grams_[slot.gram].hash == hash) {
                ++grams_[slot.gram].count;
                return;
            }
        }
    }

    const std::vector<Gram>& grams() const { return grams_; }

private:
    struct Slot {
        uint32_t epoch = 0;  // of another text: the slot is free
        uint32_t gram = 0;
    };

    void next_epoch();
    void grow();

    std::vector<Slot> slots_;
    std::vector<Gram> grams_;
    uint64_t mask_ = 0;
    uint32_t epoch_ = 0;
};

// Reads text after text with one set of buffers: one reader per thread.
class GramReader {
public:
    GramReader(const GramSettings& settings, const uint32_t* table) : settings_(settings), table_(table) {}

    // Distinct n-grams in order of first occurrence within each kind; valid until the next call.
    const std::vector<Gram>& read(const TextView& text);

    // Counts the words of a text that have no stem; `codes` is scratch.
    void collect_words(const TextView& text, WordCounts& found, std::vector<uint32_t>& codes);

    struct Word {
        uint64_t hash;      // of the stem, where there are stems
        uint32_t position;  // in entries()
    };

    // All words in their order; valid until the next call, as are the entries of the text.
    const std::vector<Word>& words(const TextView& text);
    const uint32_t* entries() const { return text_.entries(); }

private:

    void find_words();
    void stem_words();
    void count_words();
    void count_characters_within_words();
    void count_runs();
    void count_windows(int64_t begin, int64_t end, int low, int high);
    void count_padded_word(int64_t begin, int64_t end);

    GramSettings settings_;
    const uint32_t* table_;
    DecodedText text_;
    std::vector<Word> words_;
    GramCounter counter_;
};

}  // namespace ramify
