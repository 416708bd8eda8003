// Runs every main kernel once on inputs that are the same everywhere, each inside a function of its own, so that
// callgrind can say how many instructions it takes (see count.py).
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <string>

#include "beam.hpp"
#include "cluster_bisect.hpp"
#include "cluster_random.hpp"
#include "pack.hpp"
#include "pifa.hpp"
#include "text_vocabulary.hpp"
#include "text_weigh.hpp"
#include "train.hpp"

namespace {

using namespace ramify;

constexpr int32_t kRows = 640, kColumns = 4096, kLabels = 192, kClusters = 8, kWords = 48;
constexpr int kHashBits = 12;

struct Matrix {
    int64_t rows = 0, cols = 0;
    std::vector<int64_t> indptr{0};
    std::vector<int32_t> indices;
    std::vector<float> data;

    CsrView view(bool pattern = false) const {
        return {rows, cols, indptr.data(), indices.data(), pattern ? nullptr : data.data()};
    }

    void add_row(std::vector<int32_t> columns, Random& random) {
        std::sort(columns.begin(), columns.end());
        columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
        for (const int32_t column : columns) {
            indices.push_back(column);
            data.push_back(0.05f + float(random.below(100)) / 500.0f);
        }
        indptr.push_back(int64_t(indices.size()));
        ++rows;
    }
};

// Small numbers are frequent, as words are.
int32_t skewed(Random& random, int32_t bound) {
    return int32_t(random.below(1 + random.below(uint64_t(bound))));
}

// A row's label decides half of its features.
Matrix instances() {
    Random random(1);
    Matrix X{0, kColumns, {0}, {}, {}};
    for (int32_t row = 0; row < kRows; ++row) {
        std::vector<int32_t> columns;
        for (int word = 0; word < kWords; ++word) {
            const int32_t own = row % kLabels * 16 + int32_t(random.below(64));
            columns.push_back(word % 2 == 0 ? skewed(random, kColumns) : own % kColumns);
        }
        X.add_row(columns, random);
    }
    return X;
}

// The instances of every label, or of every `step` labels together.
Matrix members(int32_t step) {
    Random random(2);
    Matrix out{0, kRows, {0}, {}, {}};
    for (int32_t first = 0; first < kLabels; first += step) {
        std::vector<int32_t> rows;
        for (int32_t row = 0; row < kRows; ++row)
            if (row % kLabels >= first && row % kLabels < first + step) rows.push_back(row);
        out.add_row(rows, random);
    }
    return out;
}

struct Level {
    std::vector<int32_t> parents;
    std::vector<int64_t> parent_blocks, block_begin;
    std::vector<int32_t> block_parent;
    Matrix rows, positives;
    std::vector<float> bias;

    Level(int32_t n_parents, int32_t n_nodes, Matrix rows_of, Matrix positives_of)
        : rows(std::move(rows_of)), positives(std::move(positives_of)), bias(size_t(n_nodes)) {
        for (int32_t node = 0; node < n_nodes; ++node) parents.push_back(node / (n_nodes / n_parents));
        for (int32_t parent = 0; parent <= n_parents; ++parent) {
            parent_blocks.push_back(parent);
            block_begin.push_back(int64_t(parent) * (n_nodes / n_parents));
            if (parent < n_parents) block_parent.push_back(parent);
        }
    }

    LevelTask task() {
        return {int64_t(block_parent.size()), block_begin.data(), block_parent.data(), rows.view(true),
                positives.view(true),         bias.data()};
    }
};

struct Plain {
    std::vector<int64_t> block_rows{0}, row_entries{0};
    std::vector<int32_t> features;
    std::vector<uint8_t> children;
    std::vector<float> values;

    explicit Plain(const std::vector<BlockWeights>& blocks) {
        for (const BlockWeights& block : blocks) {
            features.insert(features.end(), block.features.begin(), block.features.end());
            for (const int32_t count : block.counts) row_entries.push_back(row_entries.back() + count);
            children.insert(children.end(), block.children.begin(), block.children.end());
            values.insert(values.end(), block.values.begin(), block.values.end());
            block_rows.push_back(int64_t(features.size()));
        }
    }

    PlainLevel view(const Level& level) const {
        return {int64_t(level.bias.size()), int64_t(level.block_parent.size()), level.block_begin.data(), block_rows.data(),
                features.data(),            row_entries.data(),                 children.data(),          values.data()};
    }
};

struct Packed {
    PackPlan plan;
    std::vector<HashWord> words;
    std::vector<uint16_t> keys;
    std::vector<uint8_t> counts, entries;
    std::vector<float> scale;
    std::vector<int64_t> block_entries;

    PackedLevel view(const Plain& plain, const Level& level) const {
        return {int64_t(scale.size()),      int64_t(level.block_parent.size()), int64_t(level.block_parent.size()),
                int64_t(words.size()),      int64_t(keys.size()),               int64_t(plain.values.size()),
                kHashBits,                  false,                              Precision::int8,
                level.parent_blocks.data(), level.block_begin.data(),           plan.block_words.data(),
                plain.block_rows.data(),    block_entries.data(),               words.data(),
                keys.data(),                counts.data(),                      entries.data(),
                scale.data(),               level.bias.data()};
    }
};

std::vector<std::string> texts() {
    Random random(3);
    std::vector<std::string> all;
    for (int text = 0; text < 150; ++text) {
        std::string words;
        for (int word = 0; word < 60; ++word) words += "Word" + std::to_string(skewed(random, 5000)) + (word % 9 ? " " : ", ");
        all.push_back(words);
    }
    return all;
}

std::vector<uint32_t> ascii_table() {
    std::vector<uint32_t> table(128);
    for (uint32_t code = 0; code < 128; ++code) {
        const bool upper = code >= 'A' && code <= 'Z';
        const bool letter = upper || (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9');
        table[code] = (upper ? code + 32 : code) | (code == ' ' ? kSpace : letter ? kWord : 0);
    }
    return table;
}

}  // namespace

// What callgrind counts. Not inlined, not renamed.
#define RAMIFY_COUNTED extern "C" __attribute__((noinline, noclone, visibility("default")))

RAMIFY_COUNTED void counted_text(const std::vector<TextView>& views, const uint32_t* table) {
    const GramSettings settings;
    Corpus corpus(views, settings, table);
    corpus.count(true, 1);
    const Vocabulary vocabulary = choose_vocabulary(corpus, {2, INT64_MAX, 4000}, 1);
    const CorpusRows rows(corpus, vocabulary.terms);
    std::vector<int64_t> indptr(views.size() + 1);
    rows.fill_indptr(indptr.data(), 1);
    std::vector<int32_t> indices(size_t(indptr.back()));
    std::vector<float> values(size_t(indptr.back()));
    rows.fill({nullptr, true, true}, indptr.data(), indices.data(), values.data(), 1);
}

// One text of distinct words, many of one frequency at the cap: the work must be that of the same words in many texts.
RAMIFY_COUNTED void counted_long_text(const std::vector<TextView>& views, const uint32_t* table) {
    Corpus corpus(views, GramSettings{}, table);
    corpus.count(false, 1);
    choose_vocabulary(corpus, {1, INT64_MAX, 4000}, 1);
}

RAMIFY_COUNTED void counted_pifa(const Matrix& X, const Matrix& labels, const std::vector<float>& weights, Matrix& Z) {
    const PifaInput input{X.view(), labels.view(), weights.data(), 1000, 1};
    Z.indptr.assign(size_t(labels.rows) + 1, 0);
    pifa_count(input, Z.indptr.data() + 1, nullptr);
    std::partial_sum(Z.indptr.begin(), Z.indptr.end(), Z.indptr.begin());
    Z.indices.resize(size_t(Z.indptr.back()));
    Z.data.resize(size_t(Z.indptr.back()));
    pifa_fill(input, {Z.indptr.data(), Z.indices.data(), Z.data.data()}, nullptr);
}

RAMIFY_COUNTED void counted_clustering(const Matrix& Z, std::vector<int32_t>& order) {
    const std::vector<int64_t> middles{96, 48, 24, 72, 144, 120, 168};
    const std::vector<int32_t> lefts{1, 2, -1, -1, 5, -1, -1}, rights{4, 3, -1, -1, 6, -1, -1};
    balanced_order(Z.view(), {7, middles.data(), lefts.data(), rights.data()}, {true, 20, 0.002, 7, 1, 16, 2}, order.data(), nullptr);
}

RAMIFY_COUNTED void counted_training(const Matrix& X, std::vector<LevelTask>& tasks, std::vector<std::vector<BlockWeights>>& out) {
    TrainOptions options;
    options.solver.epsilon = 0.3f;
    options.solver.max_passes = 20;
    out = train_levels(X.view(), nullptr, tasks, options, solvers_for(detect_isa(), halves_suffice(X.view(), options.solver)), nullptr);
}

RAMIFY_COUNTED void counted_packing(const PlainLevel& plain, Packed& out) {
    out.plan = plan_pack(plain, kHashBits);
    const auto rows = size_t(plain.block_rows[plain.n_blocks]);
    out.words.resize(size_t(out.plan.block_words.back()));
    out.keys.resize(rows);
    out.counts.resize(rows);
    out.entries.resize(2 * size_t(plain.row_entries[rows]));
    out.scale.resize(size_t(plain.n_nodes));
    out.block_entries.resize(size_t(plain.n_blocks) + 1);
    pack(plain, out.plan, kHashBits, Precision::int8,
         {out.words.data(), out.keys.data(), out.counts.data(), out.entries.data(), out.scale.data(), out.block_entries.data()});
}

RAMIFY_COUNTED void counted_batch_search(const SearchModel& model, const CsrView& X, int32_t* labels, float* scores) {
    beam_search(model, X, SearchOptions{}, {}, labels, scores, nullptr);
}

RAMIFY_COUNTED void counted_single_searches(const SearchModel& model, const CsrView& X, int32_t* labels, float* scores) {
    SingleSearches searches(model);
    for (int64_t row = 0; row < X.rows; ++row) {
        const int64_t indptr[2] = {0, X.length(row)};
        const CsrView one{1, X.cols, indptr, X.indices + X.begin(row), X.data + X.begin(row)};
        searches.search(one, SearchOptions{}, labels + row * 10, scores + row * 10);
    }
}

int main() {
    const std::vector<std::string> words = texts();
    const std::vector<uint32_t> table = ascii_table();
    std::vector<TextView> views;
    for (const std::string& text : words) views.push_back({text.data(), int64_t(text.size()), 1});
    counted_text(views, table.data());
    std::string long_text;
    for (int word = 0; word < 30000; ++word) long_text += "word" + std::to_string(word * 7 % 100000) + " ";
    counted_long_text({{long_text.data(), int64_t(long_text.size()), 1}}, table.data());

    const Matrix X = instances(), labels = members(1), clusters = members(kLabels / kClusters), all = members(kLabels);
    Matrix Z{kLabels, kColumns, {0}, {}, {}};
    counted_pifa(X, labels, std::vector<float>(kRows, 1.0f), Z);
    std::vector<int32_t> order(kLabels);
    counted_clustering(Z, order);

    Level levels[2] = {Level(1, kClusters, all, clusters), Level(kClusters, kLabels, clusters, labels)};
    std::vector<LevelTask> tasks{levels[0].task(), levels[1].task()};
    std::vector<std::vector<BlockWeights>> trained;
    counted_training(X, tasks, trained);

    const Plain plain[2] = {Plain(trained[0]), Plain(trained[1])};
    Packed packed[2];
    SearchModel model;
    for (int number = 0; number < 2; ++number) {
        counted_packing(plain[number].view(levels[number]), packed[number]);
        model.levels.push_back(packed[number].view(plain[number], levels[number]));
        model.parents.push_back(levels[number].parents.data());
        model.allowed.push_back(nullptr);
    }
    std::vector<int32_t> leaf_labels(kLabels), found(kRows * 10);
    std::iota(leaf_labels.begin(), leaf_labels.end(), 0);
    model.leaf_labels = leaf_labels.data();
    std::vector<float> scores(kRows * 10);
    counted_batch_search(model, X.view(), found.data(), scores.data());
    counted_single_searches(model, X.view(), found.data(), scores.data());

    int64_t right = 0;
    for (int32_t row = 0; row < kRows; ++row) right += found[size_t(row) * 10] == row % kLabels;
    std::printf("%lld of %d first labels are right\n", static_cast<long long>(right), int(kRows));
    return right * 2 > kRows ? 0 : 1;
}
