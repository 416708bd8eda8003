// Training, packing and search without Python, for the sanitizers: odd nodes, many threads, damaged weights.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "beam.hpp"
#include "pack.hpp"
#include "train.hpp"

namespace {

using namespace ramify;

void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

struct Random {
    uint64_t state;
    uint32_t next() {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return uint32_t(state >> 33);
    }
    uint32_t below(uint32_t bound) { return next() % bound; }
    float real() { return float(int32_t(below(2001)) - 1000) / 500.0f; }
};

struct Csr {
    int64_t cols = 0;
    std::vector<int64_t> indptr{0};
    std::vector<int32_t> indices;
    std::vector<float> data;
    int64_t n_dense = 0;
    std::vector<float> dense;  // rows x n_dense

    void close_row() { indptr.push_back(int64_t(indices.size())); }
    CsrView view(bool pattern = false) const {
        return {int64_t(indptr.size()) - 1, cols, indptr.data(), indices.data(), pattern ? nullptr : data.data()};
    }
    FeatureView features() const { return {view(), n_dense, dense.data(), nullptr}; }
};

// Row r is empty where r % 5 is 0, a copy of the row before where r % 7 is 0; the last columns are private to a row.
Csr random_matrix(int64_t rows, int32_t cols, Random& random) {
    Csr X;
    X.cols = cols;
    for (int64_t row = 0; row < rows; ++row) {
        std::vector<int32_t> columns;
        for (int i = 0; i < (row % 5 == 0 ? 0 : 6); ++i) columns.push_back(int32_t(random.below(uint32_t(cols))));
        if (row % 7 == 0 && row > 0)
            columns.assign(X.indices.begin() + X.indptr[size_t(row) - 1], X.indices.begin() + X.indptr[size_t(row)]);
        std::sort(columns.begin(), columns.end());
        columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
        for (const int32_t column : columns) {
            X.indices.push_back(column);
            X.data.push_back(random.real());
        }
        X.close_row();
    }
    return X;
}

// Two levels: `n_parents` clusters, then children, the first parent with the most.
struct Tree {
    std::vector<int32_t> top, leaves, leaf_labels;
    std::vector<int64_t> parent_blocks[2], block_begin[2];
    std::vector<int32_t> block_parent[2];

    Tree(int32_t n_parents, int32_t first_children) {
        top.assign(size_t(n_parents), 0);
        for (int32_t parent = 0; parent < n_parents; ++parent)
            leaves.insert(leaves.end(), size_t(parent == 0 ? first_children : 1 + parent % 4), parent);
        for (size_t leaf = 0; leaf < leaves.size(); ++leaf) leaf_labels.push_back(int32_t(leaf * 2 / 3));  // copies
        make_blocks(0, top, 1);
        make_blocks(1, leaves, n_parents);
    }

    void make_blocks(int level, const std::vector<int32_t>& parent, int32_t n_parents) {
        parent_blocks[level].push_back(0);
        size_t child = 0;
        for (int32_t above = 0; above < n_parents; ++above) {
            size_t end = child;
            while (end < parent.size() && parent[end] == above) ++end;
            for (; child < end; child += std::min<size_t>(kMaxBlockChildren, end - child)) {
                block_begin[level].push_back(int64_t(child));
                block_parent[level].push_back(above);
            }
            parent_blocks[level].push_back(int64_t(block_begin[level].size()));
        }
        block_begin[level].push_back(int64_t(parent.size()));
    }
};

struct Level {
    Csr rows, positives;
    std::vector<float> bias;
    std::vector<float> dense;
};

// Every parent has four fifths of the rows; a node has all, none, or a third of them.
Level random_level(const Tree& tree, int number, int64_t n, Random& random) {
    Level level;
    const std::vector<int32_t>& parent = number == 0 ? tree.top : tree.leaves;
    const int64_t n_parents = int64_t(tree.parent_blocks[number].size()) - 1;
    level.rows.cols = level.positives.cols = n;
    for (int64_t above = 0; above < n_parents; ++above) {
        for (int64_t row = 0; row < n; ++row)
            if ((row + above) % 5 != 1) {
                level.rows.indices.push_back(int32_t(row));
                level.rows.data.push_back(row % 3 == 0 ? 0.0f : 1.0f);
            }
        level.rows.close_row();
    }
    for (size_t node = 0; node < parent.size(); ++node) {
        for (int64_t row = 0; row < n; ++row) {
            const bool has = node % 11 == 0 || (node % 11 != 1 && random.below(3) == 0);
            if (!has || (row + parent[node]) % 5 == 1) continue;
            level.positives.indices.push_back(int32_t(row));
            level.positives.data.push_back(0.5f * float(random.below(4)));
        }
        level.positives.close_row();
    }
    level.bias.assign(parent.size(), 0.0f);
    return level;
}

using Trained = std::vector<std::vector<BlockWeights>>;

bool same(const Trained& a, const Trained& b) {
    for (size_t level = 0; level < a.size(); ++level)
        for (size_t block = 0; block < a[level].size(); ++block) {
            const BlockWeights &x = a[level][block], &y = b[level][block];
            if (x.features != y.features || x.counts != y.counts || x.children != y.children || x.values != y.values)
                return false;
        }
    return true;
}

// Shares of a training ascend to at most 1.
struct ProgressCheck : Monitor {
    double last = 0.0;

    bool keep_going(double done) override {
        check(done >= last && done <= 1.0, "progress is not a share that ascends");
        last = done;
        return true;
    }
};

struct Trainer {
    const Tree& tree;
    const Csr& X;
    std::vector<float> weights;
    Level levels[2];

    Trained run(Loss loss, int threads, bool plain, bool shared = false) {
        std::vector<LevelTask> tasks;
        for (int number = 0; number < 2; ++number) {
            Level& level = levels[number];
            tasks.push_back({int64_t(tree.block_parent[number].size()), tree.block_begin[number].data(),
                             tree.block_parent[number].data(), level.rows.view(plain), level.positives.view(plain),
                             level.bias.data(), level.dense.data()});
        }
        TrainOptions options;
        options.solver.loss = loss;
        options.threads = threads;
        if (shared) options.least_shared = 0.0;
        options.threshold = plain ? 0.05f : 0.0f;
        options.max_weights = plain ? 20 : 0;
        Solvers solvers = solvers_for(detect_isa(), plain);
        if (plain) solvers.floats = solvers.halves;  // these nodes are too small to get them
        ProgressCheck progress;
        return train_levels(X.features(), plain ? nullptr : weights.data(), tasks, options, solvers, &progress);
    }
};

// One level in plain form with what owns it.
struct Plain {
    std::vector<int64_t> block_rows{0}, row_entries{0};
    std::vector<int32_t> features;
    std::vector<uint8_t> children;
    std::vector<float> values;
    PlainLevel level;

    Plain(const std::vector<BlockWeights>& blocks, const std::vector<int64_t>& block_begin) {
        for (const BlockWeights& block : blocks) {
            features.insert(features.end(), block.features.begin(), block.features.end());
            for (const int32_t count : block.counts) row_entries.push_back(row_entries.back() + count);
            children.insert(children.end(), block.children.begin(), block.children.end());
            values.insert(values.end(), block.values.begin(), block.values.end());
            block_rows.push_back(int64_t(features.size()));
        }
        level = {block_begin.back(), int64_t(blocks.size()), block_begin.data(), block_rows.data(),
                 features.data(),    row_entries.data(),      children.data(),    values.data()};
    }
};

struct Packed {
    std::vector<HashWord> words;
    std::vector<uint32_t> keys;  // wide enough for either kind
    std::vector<uint8_t> counts, entries;
    std::vector<float> scale;
    std::vector<int64_t> block_words, block_entries, block_dense{0};
    std::vector<uint8_t> dense;
    std::vector<float> dense_scale;
    PackedLevel level;

    // The dense weights, if there are any, are arbitrary.
    Packed(const Plain& plain, const Tree& tree, int number, const std::vector<float>& bias, int64_t n_dense, int bits, Precision precision) {
        const PackPlan plan = plan_pack(plain.level, bits);
        block_words = plan.block_words;
        words.resize(size_t(plan.block_words.back()));
        keys.resize(plain.features.size());
        counts.resize(plain.features.size());
        entries.resize(plain.values.size() * size_t(entry_bytes(precision)));
        scale.resize(bias.size());
        block_entries.resize(block_words.size());
        pack(plain.level, plan, bits, precision,
             {words.data(), keys.data(), counts.data(), entries.data(), scale.data(), block_entries.data()});
        level = {int64_t(bias.size()), int64_t(tree.parent_blocks[number].size()) - 1, plain.level.n_blocks,
                 int64_t(words.size()), int64_t(keys.size()), int64_t(plain.values.size()), bits, plan.wide_keys,
                 precision, tree.parent_blocks[number].data(), tree.block_begin[number].data(), block_words.data(),
                 plain.block_rows.data(), block_entries.data(), words.data(), keys.data(), counts.data(),
                 entries.data(), scale.data(), bias.data()};
        for (size_t block = 1; block < tree.block_begin[number].size(); ++block) {
            const int64_t children = tree.block_begin[number][block] - tree.block_begin[number][block - 1];
            block_dense.push_back(block_dense.back() + (children + kPanel - 1) / kPanel * kPanel * n_dense);
        }
        Random random{uint64_t(bits)};
        for (int64_t i = 0; i < block_dense.back(); ++i) {
            const float weight = 0.1f * random.real();
            const auto* const bytes = reinterpret_cast<const uint8_t*>(&weight);
            if (precision == Precision::int8) dense.push_back(uint8_t(random.next()));
            if (precision == Precision::bf16) dense.insert(dense.end(), bytes + 2, bytes + 4);
            if (precision == Precision::fp32) dense.insert(dense.end(), bytes, bytes + 4);
        }
        dense_scale.assign(bias.size(), precision == Precision::int8 ? 0.002f : 1.0f);
        level.n_dense = n_dense;
        level.block_dense = block_dense.data();
        level.dense = dense.data();
        level.dense_scale = dense_scale.data();
    }

    void damage(Random& random) {
        flip(words.data(), words.size() * sizeof(HashWord), random);
        flip(keys.data(), keys.size() * sizeof(uint32_t), random);
        flip(counts.data(), counts.size(), random);
        flip(entries.data(), entries.size(), random);
        flip(scale.data(), scale.size() * sizeof(float), random);
        flip(dense.data(), dense.size(), random);
        flip(dense_scale.data(), dense_scale.size() * sizeof(float), random);
    }

    static void flip(void* data, size_t bytes, Random& random) {
        for (uint32_t i = 0; bytes > 0 && i < random.below(6); ++i)
            static_cast<uint8_t*>(data)[random.next() % bytes] = uint8_t(random.next());
    }
};

bool unpacks_to(const Packed& packed, const Plain& plain, bool exactly) {
    std::vector<int32_t> features(plain.features.size());
    std::vector<int64_t> row_entries(plain.row_entries.size());
    std::vector<uint8_t> children(plain.children.size());
    std::vector<float> values(plain.values.size());
    unpack(packed.level, {features.data(), row_entries.data(), children.data(), values.data()});
    return features == plain.features && row_entries == plain.row_entries && children == plain.children &&
           (!exactly || values == plain.values);
}

struct Answer {
    std::vector<int32_t> labels;
    std::vector<float> scores, pairs, margins;
};

Answer ask(const SearchModel& model, const Csr& X, SearchOptions options) {
    const size_t n = X.indptr.size() - 1;
    Answer answer{std::vector<int32_t>(n * size_t(options.k)), std::vector<float>(n * size_t(options.k)), {}, {}};
    std::vector<int64_t> forbidden(n + 1), wanted(n + 1);
    const auto last = int32_t(model.levels[1].n_nodes) - 1;
    std::vector<int32_t> never, leaves;
    for (size_t row = 0; row < n; ++row) {
        if (row % 3 == 0) never.insert(never.end(), {0, 2, 3});
        if (row % 4 != 0) leaves.insert(leaves.end(), {last / 2, 0, last, last / 2});
        forbidden[row + 1] = int64_t(never.size());
        wanted[row + 1] = int64_t(leaves.size());
    }
    beam_search(model, X.features(), options, {forbidden.data(), never.data()}, answer.labels.data(), answer.scores.data(), nullptr);
    answer.pairs.resize(leaves.size());
    answer.margins.resize(leaves.size());
    score_leaves(model, X.features(), wanted.data(), leaves.data(), options, answer.pairs.data(), answer.margins.data(), nullptr);
    return answer;
}

// Every document alone, by several threads at once, gets what it gets in a batch.
void check_singles(const SearchModel& model, const Csr& X, SearchOptions options) {
    options.threads = 1;
    const size_t n = X.indptr.size() - 1, k = size_t(options.k);
    std::vector<int32_t> labels(n * k), alone(n * k);
    std::vector<float> scores(n * k), alone_scores(n * k);
    beam_search(model, X.features(), options, {}, labels.data(), scores.data(), nullptr);
    SingleSearches searches(model);
    parallel_for(int64_t(n), 3, [&](int64_t row, int) {
        const int64_t begin = X.indptr[size_t(row)], indptr[2] = {0, X.indptr[size_t(row) + 1] - begin};
        const CsrView one{1, X.cols, indptr, X.indices.data() + begin, X.data.data() + begin};
        searches.search({one, X.n_dense, X.features().dense_row(row), nullptr}, options, alone.data() + row * options.k, alone_scores.data() + row * options.k);
    });
    check(labels == alone && std::memcmp(scores.data(), alone_scores.data(), scores.size() * 4) == 0, "alone as in a batch");
}

bool same(const Answer& a, const Answer& b) {
    return a.labels == b.labels && std::memcmp(a.scores.data(), b.scores.data(), a.scores.size() * 4) == 0 &&
           std::memcmp(a.pairs.data(), b.pairs.data(), a.pairs.size() * 4) == 0;
}

void test_search(const Tree& tree, const Plain* plain, const Level* levels, const Csr& X, int bits, Precision precision) {
    Random random{uint64_t(bits) * 7 + uint64_t(precision)};
    Packed packed[2] = {Packed(plain[0], tree, 0, levels[0].bias, X.n_dense, bits, precision),
                        Packed(plain[1], tree, 1, levels[1].bias, X.n_dense, bits, precision)};
    for (int number = 0; number < 2; ++number)
        check(unpacks_to(packed[number], plain[number], precision == Precision::fp32), "packing round trip");
    std::vector<uint8_t> allowed(tree.leaves.size(), 1);
    for (size_t leaf = 0; leaf < allowed.size(); leaf += 3) allowed[leaf] = 0;
    SearchModel model{{packed[0].level, packed[1].level}, {tree.top.data(), tree.leaves.data()},
                      {nullptr, allowed.data()}, tree.leaf_labels.data(), tree.leaf_labels.back() + 1, 2};
    for (const auto transform : {Transform::hinge1, Transform::hinge3, Transform::sigmoid})
        for (const int beam : {1, 3, 1000}) {
            SearchOptions options{beam, 7, transform, beam == 3, beam == 1 ? 0.0f : 0.5f, static_cast<Copies>(beam % 3), 1};
            const Answer one = ask(model, X, options);
            options.threads = 3;
            check(same(one, ask(model, X, options)), "threads change the search");
            check_singles(model, X, options);
        }
    for (int round = 0; round < 20; ++round) {
        packed[round % 2].damage(random);
        ask(model, X, {4, 9, round % 3 == 0 ? Transform::sigmoid : Transform::hinge2, false, round % 5 == 0 ? 0.0f : 1.0f, static_cast<Copies>(round % 3), 1 + round % 2});
        try {
            unpacks_to(packed[round % 2], plain[round % 2], false);
        } catch (const std::invalid_argument&) {
        }
    }
}

void test_all(int32_t cols, int32_t n_parents, int32_t first_children, int64_t n_dense) {
    Random random{uint64_t(cols) + uint64_t(first_children)};
    const int64_t n = 60;
    Csr X = random_matrix(n, cols, random);
    X.n_dense = n_dense;
    for (int64_t i = 0; i < n * n_dense; ++i) X.dense.push_back(0.2f * random.real());
    const Tree tree(n_parents, first_children);
    Trainer trainer{tree, X, {}, {random_level(tree, 0, n, random), random_level(tree, 1, n, random)}};
    for (Level& level : trainer.levels) level.dense.assign(level.bias.size() * size_t(n_dense), 0.0f);
    for (int64_t row = 0; row < n; ++row) trainer.weights.push_back(float(row % 4));
    for (const Loss loss : {Loss::squared_hinge, Loss::hinge, Loss::logistic})
        for (const bool plain : {false, true}) {
            const Trained one = trainer.run(loss, 1, plain);
            check(same(one, trainer.run(loss, 3, plain)), "threads change the weights");
            check(same(one, trainer.run(loss, 3, plain, true)), "nodes shared by threads have other weights");
            const Plain levels[2] = {Plain(one[0], tree.block_begin[0]), Plain(one[1], tree.block_begin[1])};
            int bits = 6;
            while ((int64_t(1) << bits) < cols) ++bits;
            for (const auto precision : {Precision::int8, Precision::bf16, Precision::fp32})
                if (loss == Loss::squared_hinge || precision == Precision::fp32)
                    test_search(tree, levels, trainer.levels, X, bits, precision);
        }
}

// A positive instance that its parent lacks raises in any thread.
void test_refusal() {
    Random random{3};
    const Csr X = random_matrix(60, 50, random);
    const Tree tree(3, 5);
    Trainer trainer{tree, X, std::vector<float>(60, 1.0f), {random_level(tree, 0, 60, random), random_level(tree, 1, 60, random)}};
    Csr& rows = trainer.levels[1].rows;
    rows.indptr[1] = 1;  // the first parent keeps one instance only, the second gets the rest
    for (const int threads : {1, 3}) {
        bool raised = false;
        try {
            trainer.run(Loss::hinge, threads, true, threads > 1);
        } catch (const std::invalid_argument&) {
            raised = true;
        }
        check(raised, "a positive instance outside its parent does not raise");
    }
}

}  // namespace

int main() {
    for (const int64_t n_dense : {0, 1, 16, 37}) {
        test_all(1, 1, 1, n_dense);
        test_all(40, 3, 5, n_dense);
        test_all(5000, 4, 300, n_dense);
        test_all(3000000, 2, 17, n_dense);
    }
    test_refusal();
    std::puts("ok");
}
