// Names of labels found in texts. A name is a sequence of tokens (hashes of stems); equal sequences are one entry, with
// the labels that share it. Entries are grouped by their rarest token, the key: where a key occurs in a sentence, the
// other tokens of its entries are looked up among the tokens of the sentence (set match), and at the places beside each
// occurrence of the key (phrase match). An automaton over token sequences would find phrases only.
//
// A gap is what stands between two words. A gap that ends a sentence has a hash, so that a name with a stop inside, as
// "St. Louis", is found as a phrase where the text has the same gap.
#pragma once
#include <cstdint>
#include <vector>

#include "parallel.hpp"
#include "text_grams.hpp"

namespace ramify {

struct LexicalArrays {  // sizes are checked in Python
    const uint64_t* hashes;  // of the tokens
    int64_t n_tokens;
    const int64_t* key_ptr;  // entries whose key is token t: key_ptr[t] .. key_ptr[t + 1]
    const int64_t* entry_ptr;
    const int32_t* entry_tokens;  // of entry e in their order: entry_ptr[e] .. entry_ptr[e + 1]
    const int32_t* key_places;    // of the key within the entry
    const uint32_t* gaps;         // of each token of the entries: hash of the gap behind it, or kNoEnd; null: no hashes
    int64_t n_entries;
    const int64_t* label_ptr;  // labels of entry e, each once: label_ptr[e] .. label_ptr[e + 1]
    const int32_t* labels;
    const uint8_t* kinds;  // kind of the name of the label: 0 preferred, 1 alternative, 2 derived
    int32_t n_labels;
};

// Values of gaps that are no hash: the sentence goes on; it ends, and no name goes across.
constexpr uint32_t kNoEnd = 0;
constexpr uint32_t kHardEnd = 1;

// The value of the gap between a word and the next one, by their positions in the entries of a text.
uint32_t gap_behind(const uint32_t* entries, uint32_t word, uint32_t next);

struct LexicalIndex {
    explicit LexicalIndex(const LexicalArrays& given) : arrays(given) {
        for (int64_t token = 0; token < given.n_tokens; ++token) tokens.insert(given.hashes[token]);
        if (!given.gaps) return;
        has_gap.resize(given.n_entries);
        for (int64_t entry = 0; entry < given.n_entries; ++entry)
            for (int64_t at = given.entry_ptr[entry]; at < given.entry_ptr[entry + 1]; ++at)
                has_gap[entry] |= given.gaps[at] != kNoEnd;
    }
    LexicalArrays arrays;
    HashIndex tokens;
    std::vector<uint8_t> has_gap;  // per entry; empty without hashes
};

struct Occurrence {
    int32_t entry;
    int32_t first;  // words of the text, from 0; of a set: the first and last of its tokens
    int32_t last;
    bool phrase;
};

constexpr int kMatchFeatures = 10;

// Phrases, sets, phrases that are not inside a longer one, first and last place (0 to 1), tokens of the longest name,
// kind of the best name, labels that share the least ambiguous name, distinct names, tokens / words of the densest match.
struct LabelMatch {
    int32_t label;
    float features[kMatchFeatures];
};

// A sentence ends after this number of words, so that a text without punctuation is not one sentence.
constexpr int32_t kLongestSentence = 128;

// Matches text after text with one set of buffers: one matcher per thread.
class LexicalMatcher {
public:
    LexicalMatcher(const LexicalIndex& index, const GramSettings& settings, const uint32_t* table);

    // Sentence by sentence; valid until the next call.
    const std::vector<Occurrence>& find(const TextView& text);
    // Labels in ascending order; valid until the next call.
    const std::vector<LabelMatch>& match(const TextView& text);
    int32_t n_words() const { return int32_t(words_.size()); }
    // Begin and end of a word of the last text, in code points.
    std::pair<int64_t, int64_t> place(int32_t word) const;

private:
    struct Token {
        int32_t token;  // -1: of no name
        int32_t next;   // next word of the sentence with this token, or -1
        uint32_t position;
        uint32_t gap;  // behind the word; not kNoEnd for the last word of a sentence
    };

    void read(const TextView& text);
    void end_sentences();
    void find_in_sentence(int32_t begin, int32_t end);
    void find_entry(int64_t entry, int32_t word);
    bool is_set(int64_t entry, int32_t& first, int32_t& last) const;
    bool is_phrase(int64_t entry, int32_t first) const;
    bool is_inside(int32_t first, int32_t last) const;
    void mark_covered();
    void add_occurrence(const Occurrence& found, bool new_entry);

    const LexicalIndex& index_;
    GramReader reader_;
    std::vector<Token> words_;
    std::vector<uint32_t> seen_;   // per token: the sentence that had it last
    std::vector<int32_t> first_;   // and its first word there
    uint32_t sentence_ = 0;
    std::vector<Occurrence> found_;
    std::vector<int32_t> covered_;  // per word: length of the longest phrase over it
    std::vector<int32_t> rows_;     // per label: 1 + its place in matches_, 0: none
    std::vector<LabelMatch> matches_;
};

// The matches of many texts.
class MatchedTexts {
public:
    void match(const std::vector<TextView>& texts, const LexicalIndex& index, const GramSettings& settings,
               const uint32_t* table, int threads, Monitor* monitor = nullptr);
    int64_t size() const;
    void fill(int64_t* indptr, int32_t* labels, float* features, int32_t* n_words) const;

private:
    struct Chunk {
        std::vector<int64_t> counts;  // matches of each text
        std::vector<int32_t> n_words;
        std::vector<LabelMatch> matches;
    };
    std::vector<Chunk> chunks_;
};

// The hashes of the words of each text, in their order, and the gaps behind them; kNoEnd behind the last word.
struct TextWords {
    std::vector<int64_t> ends;
    std::vector<uint64_t> hashes;
    std::vector<uint32_t> gaps;
};
TextWords read_words(const std::vector<TextView>& texts, const GramSettings& settings, const uint32_t* table);

// A sum of binary trees. Node i is a leaf if features[i] < 0; else an instance with value <= thresholds[i] goes left.
// Children come after their parent.
struct TreeArrays {
    const int32_t* roots;
    int64_t n_trees;
    const int32_t* features;
    const double* thresholds;
    const int32_t* left;
    const int32_t* right;
    const double* values;  // of the leaves
    double baseline;
};

// out[i] = baseline + the values of the leaves of row i, added in the order of the trees.
void sum_trees(const TreeArrays& trees, const float* rows, int64_t n_rows, int64_t width, double* out, int threads);

}  // namespace ramify
