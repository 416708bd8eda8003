#include "lexical.hpp"

#include <algorithm>

#include "text_corpus.hpp"

namespace ramify {

namespace {

constexpr int64_t kChunkCharacters = 1 << 15;
constexpr int64_t kRowsPerTask = 4096;

// Features of a match, by their place.
enum { kPhrases, kSets, kFree, kFirst, kLast, kTokens, kKind, kAmbiguity, kNames, kDensity };

bool is_stop(uint32_t code) { return code == '.' || code == '!' || code == '?' || code == ';' || code == 0x2026; }

}  // namespace

LexicalMatcher::LexicalMatcher(const LexicalIndex& index, const GramSettings& settings, const uint32_t* table)
    : index_(index), reader_(settings, table), seen_(index.arrays.n_tokens, 0), first_(index.arrays.n_tokens, 0),
      rows_(index.arrays.n_labels, 0) {}

std::pair<int64_t, int64_t> LexicalMatcher::place(int32_t word) const {
    int64_t end = words_[word].position;
    while (reader_.entries()[end] & kWord) ++end;
    return {int64_t(words_[word].position) - 1, end - 1};  // entries begin with a blank
}

void LexicalMatcher::read(const TextView& text) {
    words_.clear();
    for (const GramReader::Word& word : reader_.words(text)) {
        const uint32_t token = index_.tokens.find(word.hash);
        words_.push_back({token == HashIndex::kNone ? -1 : int32_t(token), -1, word.position, kNoEnd});
    }
    end_sentences();
}

void LexicalMatcher::end_sentences() {
    int32_t length = 0;
    for (int32_t word = 0; word < n_words(); ++word) {
        uint32_t& gap = words_[word].gap;
        gap = word + 1 < n_words() ? gap_behind(reader_.entries(), words_[word].position, words_[word + 1].position) : kHardEnd;
        if (++length == kLongestSentence && gap == kNoEnd) gap = kHardEnd;
        if (gap != kNoEnd) length = 0;
    }
}

// A sentence ends at a stop with white space behind it, an ideographic stop, or an empty line, before the next word.
uint32_t gap_behind(const uint32_t* entries, uint32_t word, uint32_t next) {
    while (entries[word] & kWord) ++word;
    bool ends = false, after_line = false;
    for (uint32_t at = word; at < next; ++at) {
        const uint32_t code = entries[at] & kCodePoint;
        ends |= code == 0x3002 || (is_stop(code) && (entries[at + 1] & kSpace));
        if (code == '\n' && after_line) return kHardEnd;
        after_line = code == '\n' || (after_line && (entries[at] & kSpace));
    }
    if (!ends) return kNoEnd;
    uint64_t hash = kWordSeed;
    for (bool blank = false; word < next; ++word) {  // a run of white space counts as one blank
        if (blank && (entries[word] & kSpace)) continue;
        blank = entries[word] & kSpace;
        hash = hash_step(hash, blank ? ' ' : entries[word] & kCodePoint);
    }
    return std::max(kHardEnd + 1, uint32_t(hash_finish(hash)));
}

const std::vector<Occurrence>& LexicalMatcher::find(const TextView& text) {
    read(text);
    found_.clear();
    int32_t begin = 0;
    for (int32_t word = 0; word < n_words(); ++word) {
        if (words_[word].gap == kNoEnd) continue;
        find_in_sentence(begin, word + 1);
        begin = word + 1;
    }
    return found_;
}

void LexicalMatcher::find_in_sentence(int32_t begin, int32_t end) {
    if (++sentence_ == 0) {
        std::fill(seen_.begin(), seen_.end(), 0u);
        sentence_ = 1;
    }
    for (int32_t word = end - 1; word >= begin; --word) {
        const int32_t token = words_[word].token;
        if (token < 0) continue;
        words_[word].next = seen_[token] == sentence_ ? first_[token] : -1;
        seen_[token] = sentence_;
        first_[token] = word;
    }
    const LexicalArrays& arrays = index_.arrays;
    for (int32_t word = begin; word < end; ++word) {
        const int32_t token = words_[word].token;
        if (token < 0 || first_[token] != word) continue;
        for (int64_t entry = arrays.key_ptr[token]; entry < arrays.key_ptr[token + 1]; ++entry) find_entry(entry, word);
    }
}

void LexicalMatcher::find_entry(int64_t entry, int32_t word) {
    int32_t first = word, last = word;
    const bool set = is_set(entry, first, last);
    if (!set && (index_.has_gap.empty() || !index_.has_gap[entry])) return;
    const LexicalArrays& arrays = index_.arrays;
    const int32_t length = int32_t(arrays.entry_ptr[entry + 1] - arrays.entry_ptr[entry]);
    bool any = false;
    for (int32_t at = word; at >= 0; at = words_[at].next) {
        const int32_t start = at - arrays.key_places[entry];
        if (!is_phrase(entry, start)) continue;
        found_.push_back({int32_t(entry), start, start + length - 1, true});
        any |= is_inside(start, start + length - 1);
    }
    if (set && !any) found_.push_back({int32_t(entry), first, last, false});
}

// Whether the sentence has the tokens of the entry, each as often as the entry, and the first and last of these words.
bool LexicalMatcher::is_set(int64_t entry, int32_t& first, int32_t& last) const {
    const LexicalArrays& arrays = index_.arrays;
    const int32_t* tokens = arrays.entry_tokens + arrays.entry_ptr[entry];
    const int32_t length = int32_t(arrays.entry_ptr[entry + 1] - arrays.entry_ptr[entry]);
    for (int32_t i = 0; i < length; ++i) {
        if (seen_[tokens[i]] != sentence_) return false;
        int32_t at = first_[tokens[i]];
        for (int32_t before = 0; before < i && at >= 0; ++before)
            if (tokens[before] == tokens[i]) at = words_[at].next;
        if (at < 0) return false;
        first = std::min(first, at);
        last = std::max(last, at);
    }
    return true;
}

bool LexicalMatcher::is_phrase(int64_t entry, int32_t first) const {
    const LexicalArrays& arrays = index_.arrays;
    const int64_t begin = arrays.entry_ptr[entry];
    const int32_t length = int32_t(arrays.entry_ptr[entry + 1] - begin);
    if (first < 0 || first + length > n_words()) return false;
    for (int32_t i = 0; i < length; ++i) {
        const Token& word = words_[first + i];
        if (word.token != arrays.entry_tokens[begin + i]) return false;
        if (i + 1 == length || word.gap == kNoEnd) continue;
        if (!arrays.gaps || word.gap == kHardEnd || word.gap != arrays.gaps[begin + i]) return false;
    }
    return true;
}

// Whether all words belong to one sentence.
bool LexicalMatcher::is_inside(int32_t first, int32_t last) const {
    for (int32_t word = first; word < last; ++word)
        if (words_[word].gap != kNoEnd) return false;
    return true;
}

void LexicalMatcher::mark_covered() {
    covered_.assign(words_.size(), 0);
    for (const Occurrence& one : found_) {
        if (!one.phrase) continue;
        const int32_t length = one.last - one.first + 1;
        for (int32_t word = one.first; word <= one.last; ++word) covered_[word] = std::max(covered_[word], length);
    }
}

const std::vector<LabelMatch>& LexicalMatcher::match(const TextView& text) {
    find(text);
    mark_covered();
    std::stable_sort(found_.begin(), found_.end(), [](const Occurrence& a, const Occurrence& b) { return a.entry < b.entry; });
    matches_.clear();
    for (size_t i = 0; i < found_.size(); ++i) add_occurrence(found_[i], i == 0 || found_[i - 1].entry != found_[i].entry);
    for (const LabelMatch& one : matches_) rows_[one.label] = 0;
    std::sort(matches_.begin(), matches_.end(), [](const LabelMatch& a, const LabelMatch& b) { return a.label < b.label; });
    return matches_;
}

void LexicalMatcher::add_occurrence(const Occurrence& found, bool new_entry) {
    const LexicalArrays& arrays = index_.arrays;
    const int64_t begin = arrays.label_ptr[found.entry], end = arrays.label_ptr[found.entry + 1];
    const float words = float(std::max(n_words(), 2) - 1);
    const float first = float(found.first) / words, last = float(found.last) / words;
    const int32_t length = found.last - found.first + 1;
    const float tokens = float(arrays.entry_ptr[found.entry + 1] - arrays.entry_ptr[found.entry]);
    const bool is_free = found.phrase && (covered_[found.first] <= length || covered_[found.last] <= length);
    for (int64_t i = begin; i < end; ++i) {
        int32_t& row = rows_[arrays.labels[i]];
        const float kind = float(arrays.kinds[i]), ambiguity = float(end - begin);
        if (row == 0) {
            matches_.push_back({arrays.labels[i], {0, 0, 0, first, last, tokens, kind, ambiguity, 0, 0}});
            row = int32_t(matches_.size());
        }
        float* out = matches_[row - 1].features;
        out[kPhrases] += found.phrase;
        out[kSets] += !found.phrase;
        out[kFree] += is_free;
        out[kFirst] = std::min(out[kFirst], first);
        out[kLast] = std::max(out[kLast], last);
        out[kTokens] = std::max(out[kTokens], tokens);
        out[kKind] = std::min(out[kKind], kind);
        out[kAmbiguity] = std::min(out[kAmbiguity], ambiguity);
        out[kNames] += new_entry;
        out[kDensity] = std::max(out[kDensity], std::min(1.0f, tokens / float(length)));
    }
}

void MatchedTexts::match(const std::vector<TextView>& texts, const LexicalIndex& index, const GramSettings& settings,
                         const uint32_t* table, int threads, Monitor* monitor) {
    const std::vector<TextSpan> spans = split_texts(texts, kChunkCharacters);
    chunks_.assign(spans.size(), {});
    std::vector<LexicalMatcher> matchers;
    for (int worker = 0; worker < threads; ++worker) matchers.emplace_back(index, settings, table);
    auto read_chunk = [&](int64_t number, int worker) {
        Chunk& chunk = chunks_[number];
        for (int64_t text = spans[number].first; text < spans[number].last; ++text) {
            const std::vector<LabelMatch>& found = matchers[worker].match(texts[text]);
            chunk.counts.push_back(int64_t(found.size()));
            chunk.n_words.push_back(matchers[worker].n_words());
            chunk.matches.insert(chunk.matches.end(), found.begin(), found.end());
        }
    };
    parallel_for(int64_t(spans.size()), threads, read_chunk, monitor);
}

int64_t MatchedTexts::size() const {
    int64_t size = 0;
    for (const Chunk& chunk : chunks_) size += int64_t(chunk.matches.size());
    return size;
}

void MatchedTexts::fill(int64_t* indptr, int32_t* labels, float* features, int32_t* n_words) const {
    *indptr = 0;
    for (const Chunk& chunk : chunks_) {
        for (const int64_t count : chunk.counts) {
            indptr[1] = indptr[0] + count;
            ++indptr;
        }
        n_words = std::copy(chunk.n_words.begin(), chunk.n_words.end(), n_words);
        for (const LabelMatch& match : chunk.matches) {
            *labels++ = match.label;
            features = std::copy(match.features, match.features + kMatchFeatures, features);
        }
    }
}

TextWords read_words(const std::vector<TextView>& texts, const GramSettings& settings, const uint32_t* table) {
    GramReader reader(settings, table);
    TextWords found;
    for (const TextView& text : texts) {
        const std::vector<GramReader::Word>& words = reader.words(text);
        for (size_t word = 0; word < words.size(); ++word) {
            const bool last = word + 1 == words.size();
            found.hashes.push_back(words[word].hash);
            found.gaps.push_back(last ? kNoEnd : gap_behind(reader.entries(), words[word].position, words[word + 1].position));
        }
        found.ends.push_back(int64_t(found.hashes.size()));
    }
    return found;
}

void sum_trees(const TreeArrays& trees, const float* rows, int64_t n_rows, int64_t width, double* out, int threads) {
    auto sum = [&](int64_t task, int) {
        const int64_t end = std::min(n_rows, (task + 1) * kRowsPerTask);
        for (int64_t row = task * kRowsPerTask; row < end; ++row) {
            const float* values = rows + row * width;
            double total = trees.baseline;
            for (int64_t tree = 0; tree < trees.n_trees; ++tree) {
                int32_t node = trees.roots[tree];
                while (trees.features[node] >= 0)
                    node = double(values[trees.features[node]]) <= trees.thresholds[node] ? trees.left[node] : trees.right[node];
                total += trees.values[node];
            }
            out[row] = total;
        }
    };
    parallel_for((n_rows + kRowsPerTask - 1) / kRowsPerTask, threads, sum);
}

}  // namespace ramify
