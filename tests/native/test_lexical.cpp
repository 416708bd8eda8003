// The kernels for names in texts and for sums of trees without Python, for the sanitizers.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "lexical.hpp"

namespace {

using namespace ramify;

void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

// ASCII letters in lower case are words.
std::vector<uint32_t> make_table() {
    std::vector<uint32_t> table(128);
    for (uint32_t code = 0; code < table.size(); ++code) {
        const bool letter = code >= 'a' && code <= 'z';
        table[code] = code | (code == ' ' || code == '\n' ? kSpace : letter ? kWord : 0);
    }
    return table;
}

uint64_t hash_of(const std::string& word) {
    const std::vector<uint32_t> codes(word.begin(), word.end());
    return hash_word(codes);
}

TextView view_of(const std::string& text) { return {text.data(), int64_t(text.size()), 1}; }

// Entries "water", "water law", "law of the sea" with the keys water, law and sea; labels 0; 1; 1 and 2.
struct Names {
    std::vector<uint64_t> hashes = {hash_of("water"), hash_of("law"), hash_of("of"), hash_of("the"), hash_of("sea")};
    std::vector<int64_t> key_ptr = {0, 1, 2, 2, 2, 3};
    std::vector<int64_t> entry_ptr = {0, 1, 3, 7};
    std::vector<int32_t> entry_tokens = {0, 0, 1, 1, 2, 3, 4};
    std::vector<int32_t> key_places = {0, 1, 3};
    std::vector<uint32_t> gaps;
    std::vector<int64_t> label_ptr = {0, 1, 2, 4};
    std::vector<int32_t> labels = {0, 1, 1, 2};
    std::vector<uint8_t> kinds = {0, 0, 1, 0};

    LexicalArrays arrays() const {
        return {hashes.data(), int64_t(hashes.size()), key_ptr.data(), entry_ptr.data(), entry_tokens.data(),
                key_places.data(), gaps.empty() ? nullptr : gaps.data(), int64_t(key_places.size()), label_ptr.data(),
                labels.data(), kinds.data(), 3};
    }
};

GramSettings single_words() {
    GramSettings settings;
    settings.words_high = 1;
    return settings;
}

void check_matches(const LexicalIndex& index, const uint32_t* table) {
    const GramSettings words = single_words();
    LexicalMatcher matcher(index, words, table);
    const std::string text = "law about water, water law. the law of the sea";
    check(matcher.find(view_of(text)).size() == 4, "water twice, water law, law of the sea");
    check(matcher.place(0) == std::pair<int64_t, int64_t>(0, 3), "place of the first word");
    check(matcher.place(matcher.n_words() - 1).second == int64_t(text.size()), "place of the last word");
    check(matcher.match(view_of(text)).size() == 3, "three labels");
    for (const char* empty : {"", " ", "a", "...", "\n\n"}) check(matcher.match(view_of(empty)).empty(), "no label");
    std::string endless;
    for (int word = 0; word < 5000; ++word) endless += word % 7 ? "law " : "sea of the ";
    check(matcher.match(view_of(endless)).size() == 2, "sets in a text without punctuation");
}

// Names "sea. law", whose gap is that of the text, and "the the".
void check_gaps(const uint32_t* table) {
    const std::string name = "sea. law";
    const TextWords read = read_words({view_of(name)}, single_words(), table);
    check(read.gaps.size() == 2 && read.gaps[0] > kHardEnd && read.gaps[1] == kNoEnd, "the gap of a name");
    Names names;
    names.hashes = {hash_of("sea"), hash_of("law"), hash_of("the")};
    names.key_ptr = {0, 1, 1, 2};
    names.entry_ptr = {0, 2, 4};
    names.entry_tokens = {0, 1, 2, 2};
    names.key_places = {0, 0};
    names.gaps = {read.gaps[0], kNoEnd, kNoEnd, kNoEnd};
    names.label_ptr = {0, 1, 2};
    names.labels = {0, 1};
    names.kinds = {0, 0};
    const LexicalIndex index(names.arrays());
    const GramSettings words = single_words();
    LexicalMatcher matcher(index, words, table);
    const std::vector<std::pair<std::string, size_t>> wanted = {
        {"by sea.  law", 1},      {"by sea! law", 0},  {"by sea.\n\nlaw", 0}, {"sea.", 0},
        {"law. the sea. law", 1}, {"sea law. sea.", 1}, {"the", 0}, {"the law of the", 1}, {"law by sea. law", 2},
    };
    for (const auto& [text, count] : wanted) check(matcher.find(view_of(text)).size() == count, text.c_str());
}

void check_threads(const LexicalIndex& index, const uint32_t* table) {
    std::vector<std::string> texts;
    for (int text = 0; text < 3000; ++text) texts.push_back(text % 3 ? "the law of the sea. water" : "water law and more of the law");
    std::vector<TextView> views;
    for (const std::string& text : texts) views.push_back(view_of(text));
    std::vector<int32_t> first;
    for (const int threads : {1, 4}) {
        MatchedTexts matched;
        matched.match(views, index, single_words(), table, threads);
        std::vector<int64_t> indptr(views.size() + 1);
        std::vector<int32_t> labels(matched.size()), n_words(views.size());
        std::vector<float> features(matched.size() * kMatchFeatures);
        matched.fill(indptr.data(), labels.data(), features.data(), n_words.data());
        check(indptr.back() == matched.size(), "all matches are in a row");
        check(first.empty() || labels == first, "the same for any threads");
        first = labels;
    }
}

void check_trees() {
    const std::vector<int32_t> roots = {0, 3}, features = {0, -1, -1, -1}, left = {1, 0, 0, 0}, right = {2, 0, 0, 0};
    const std::vector<double> thresholds = {0.5, 0, 0, 0}, values = {0, 1, 2, 4};
    const TreeArrays trees{roots.data(), 2, features.data(), thresholds.data(), left.data(), right.data(), values.data(), 8};
    std::vector<float> rows(10000);
    for (size_t row = 0; row < rows.size(); ++row) rows[row] = float(row % 2);
    for (const int threads : {1, 3}) {
        std::vector<double> sums(rows.size());
        sum_trees(trees, rows.data(), int64_t(rows.size()), 1, sums.data(), threads);
        check(sums[0] == 13 && sums[9999] == 14, "sums of leaves");
    }
}

}  // namespace

int main() {
    const std::vector<uint32_t> table = make_table();
    const Names names;
    const LexicalIndex index(names.arrays());
    check_matches(index, table.data());
    check_gaps(table.data());
    check_threads(index, table.data());
    check_trees();
    std::puts("lexical kernels: ok");
}
