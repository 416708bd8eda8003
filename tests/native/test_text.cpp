// The text kernels without Python, for the sanitizers: words, windows, margins, many threads, tampered tables.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "text_vocabulary.hpp"
#include "text_weigh.hpp"

namespace {

using namespace ramify;

void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

// ASCII letters and digits; all beyond ASCII are letters, 0x3000 is white space.
std::vector<uint32_t> make_table() {
    std::vector<uint32_t> table(0x110000);
    for (uint32_t code = 0; code < table.size(); ++code) {
        const bool upper = code >= 'A' && code <= 'Z';
        const bool letter = upper || (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9') || code == '_';
        const bool space = code == ' ' || (code >= 9 && code <= 13) || code == 0x3000;
        const uint32_t kind = space ? kSpace : letter || code > 127 ? kWord : 0;
        table[code] = (upper ? code + 32 : code) | kind;
    }
    return table;
}

struct Texts {
    std::vector<std::string> narrow;
    std::vector<std::u16string> middle;
    std::vector<std::u32string> wide;

    std::vector<TextView> views() const {
        std::vector<TextView> all;
        for (const auto& text : narrow) all.push_back({text.data(), int64_t(text.size()), 1});
        for (const auto& text : middle) all.push_back({text.data(), int64_t(text.size()), 2});
        for (const auto& text : wide) all.push_back({text.data(), int64_t(text.size()), 4});
        return all;
    }
};

Texts make_texts() {
    Texts texts;
    texts.narrow = {"", " ", "a", "ab", "Water rights and a tax on water", "x yy  zz\n", "\n\n"};
    texts.narrow.push_back(std::string(3000, 'q'));
    texts.middle = {u"\u00e9t\u00e9 \u3000\u3000 \u65e5\u672c", u"\xd800 \xdfff\xdfff"};
    texts.wide = {U"\U0010ffff\U0001d518 water", U"\U0001d518"};
    uint64_t state = 1;
    for (int text = 0; text < 600; ++text) {
        std::string words;
        for (int word = 0; word < text % 60; ++word) {
            state = hash_finish(state + 1);
            words += "w" + std::to_string((state % 97) * (state % 31)) + " ";
        }
        texts.narrow.push_back(words);
    }
    return texts;
}

struct Fitted {
    std::vector<uint64_t> hashes;
    std::vector<int32_t> slots, indices;
    std::vector<int64_t> indptr;
    std::vector<float> values, idf;
    Names names;

    ColumnMap map() const {
        return {slots.data(), int64_t(slots.size()), hashes.data(), int64_t(hashes.size()), false};
    }
};

Fitted fit(const std::vector<TextView>& views, const GramSettings& settings, const uint32_t* table, int threads) {
    Corpus corpus(views, settings, table);
    corpus.count(true, threads);
    const Vocabulary vocabulary = choose_vocabulary(corpus, {1, INT64_MAX, 4000}, threads);
    Fitted fitted;
    for (const uint32_t term : vocabulary.terms) fitted.hashes.push_back(corpus.term(term).hash);
    fitted.names = vocabulary.names;
    fitted.idf.assign(fitted.hashes.size(), 1.5f);
    fitted.slots.resize(1 << 14);
    fill_slots(fitted.hashes.data(), int64_t(fitted.hashes.size()), fitted.slots.data(), int64_t(fitted.slots.size()));
    const CorpusRows rows(corpus, vocabulary.terms);
    corpus.release_terms();
    fitted.indptr.resize(views.size() + 1);
    rows.fill_indptr(fitted.indptr.data(), threads);
    fitted.indices.resize(fitted.indptr.back());
    fitted.values.resize(fitted.indptr.back());
    const Weighting weighting{fitted.idf.data(), true, true};
    rows.fill(weighting, fitted.indptr.data(), fitted.indices.data(), fitted.values.data(), threads);
    return fitted;
}

void check_transform(const Fitted& fitted, const std::vector<TextView>& views, const GramSettings& settings,
                     const uint32_t* table) {
    WeighedTexts weighed(views, settings, table);
    const Weighting weighting{fitted.idf.data(), true, true};
    weighed.weigh(fitted.map(), weighting, 3);
    check(weighed.nnz() == int64_t(fitted.indices.size()), "transform has as many entries as fit_transform");
    std::vector<int64_t> indptr(views.size() + 1);
    std::vector<int32_t> indices(weighed.nnz());
    std::vector<float> values(weighed.nnz());
    weighed.fill(indptr.data(), indices.data(), values.data());
    check(indptr == fitted.indptr && indices == fitted.indices && values == fitted.values, "the same rows");
    for (size_t text = 0; text < views.size(); ++text) {
        GramReader reader(settings, table);
        const int64_t length = indptr[text + 1] - indptr[text];
        std::vector<int32_t> row(length);
        std::vector<float> row_values(length);
        const int64_t used =
            weigh_text(reader, views[text], fitted.map(), weighting, row.data(), row_values.data(), length);
        check(used == length, "one text has as many entries");
        check(std::equal(row.begin(), row.end(), indices.begin() + indptr[text]), "one text has the same columns");
    }
}

void check_tampered(Fitted fitted, const std::vector<TextView>& views, const GramSettings& settings,
                    const uint32_t* table) {
    uint64_t state = 3;
    for (int32_t& slot : fitted.slots) {
        state = hash_finish(state + 1);
        slot = int32_t(state >> (state & 31));
    }
    const Weighting weighting{fitted.idf.data(), false, true};
    std::vector<int32_t> row(5);
    std::vector<float> values(5);
    for (const TextView& view : views) {
        GramReader reader(settings, table);
        const int64_t used = weigh_text(reader, view, fitted.map(), weighting, row.data(), values.data(), 5);
        check(used <= 5, "never more than there is room for");
    }
    for (int32_t& slot : fitted.slots) slot = 0;  // no free slot, and one column for all
    const std::vector<TextView> some(views.end() - 20, views.end());
    WeighedTexts weighed(some, settings, table);
    weighed.weigh(fitted.map(), {nullptr, true, true}, 2);
    check(weighed.nnz() <= int64_t(some.size()), "one column at most");
}

void check_hashing(const std::vector<TextView>& views, const GramSettings& settings, const uint32_t* table) {
    for (const int64_t n_columns : {int64_t(1), int64_t(257), int64_t(INT32_MAX)}) {
        const ColumnMap map{nullptr, 0, nullptr, n_columns, true};
        WeighedTexts weighed(views, settings, table);
        weighed.weigh(map, {nullptr, true, true}, 2);
        check(weighed.nnz() > 0, "hashing finds something");
    }
    std::vector<int64_t> frequencies(257, 0);
    count_columns(views, settings, table, {nullptr, 0, nullptr, 257, false}, frequencies.data(), 3);
    for (const int64_t frequency : frequencies) check(frequency <= int64_t(views.size()), "frequencies within bounds");
}

std::string name(const Names& names, size_t i) {
    return std::string(names.blob.begin() + names.offsets[i], names.blob.begin() + names.offsets[i + 1]);
}

void check_names(const uint32_t* table) {
    const std::string text = "The  tax a ON the\ntax";
    const Fitted words = fit({{text.data(), int64_t(text.size()), 1}}, {1, 2, 0, 0, true, true}, table, 1);
    const char* expected[] = {"on", "on the", "tax", "tax on", "the", "the tax"};
    check(words.hashes.size() == 6, "six n-grams of words");
    for (size_t i = 0; i < 6; ++i) check(name(words.names, i) == expected[i], expected[i]);
    const std::string short_words = "ab\tc";
    const Fitted pieces = fit({{short_words.data(), 4, 1}}, {0, 0, 4, 5, true, true}, table, 1);
    check(pieces.hashes.size() == 2, "two padded words");
    check(name(pieces.names, 0) == " ab " && name(pieces.names, 1) == " c ", "padded with blanks");
}

// Words that are the same whether they come in one text, which threads share, or in many that they read alone.
void check_long_text(const uint32_t* table) {
    std::string whole;
    std::vector<std::string> parts;
    for (int part = 0; part < 60; ++part) {
        std::string words;
        for (int word = 0; word < 2000; ++word) words += "word" + std::to_string((part * 2000 + word) * 7 % 40000) + "\n";
        whole += words;
        parts.push_back(words);
    }
    std::vector<TextView> views;
    for (const std::string& part : parts) views.push_back({part.data(), int64_t(part.size()), 1});
    const std::vector<TextView> one = {{whole.data(), int64_t(whole.size()), 1}};
    for (const GramSettings& settings : {GramSettings{1, 1, 0, 0, true, true}, GramSettings{1, 1, 2, 3, true, true}}) {
        const Fitted apart = fit(views, settings, table, 1);
        for (const int threads : {1, 4}) {
            const Fitted together = fit(one, settings, table, threads);
            check(together.hashes == apart.hashes && together.names.blob == apart.names.blob, "long text, same names");
        }
        std::vector<TextView> both = views;
        both.insert(both.begin() + 30, one[0]);
        const Fitted mixed = fit(both, settings, table, 3);
        check(mixed.hashes == apart.hashes && mixed.names.blob == apart.names.blob, "long among short, same names");
    }
}

}  // namespace

int main() {
    const std::vector<uint32_t> table = make_table();
    const Texts texts = make_texts();
    const std::vector<TextView> views = texts.views();
    check_names(table.data());
    check_long_text(table.data());
    const GramSettings all_settings[] = {
        {1, 2, 0, 0, true, true}, {2, 3, 2, 4, true, true}, {0, 0, 1, 3, false, true}, {16, 16, 16, 16, true, true}};
    for (const GramSettings& settings : all_settings) {
        const Fitted fitted = fit(views, settings, table.data(), 1);
        const Fitted parallel = fit(views, settings, table.data(), 4);
        check(fitted.hashes == parallel.hashes && fitted.values == parallel.values, "the same for any threads");
        check(fitted.names.blob == parallel.names.blob, "the same names for any threads");
        check_transform(fitted, views, settings, table.data());
        check_tampered(fitted, views, settings, table.data());
        check_hashing(views, settings, table.data());
    }
    std::puts("text kernels: ok");
}
