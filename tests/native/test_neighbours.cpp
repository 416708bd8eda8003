// Votes of the nearest instances without Python, for the sanitizers: few and many listed instances, threads, filters.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "neighbours.hpp"

namespace {

using namespace ramify;

void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

struct Random {
    uint64_t state;
    uint32_t below(uint32_t bound) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return uint32_t(state >> 33) % bound;
    }
};

struct Csr {
    int64_t cols = 0;
    std::vector<int64_t> indptr{0};
    std::vector<int32_t> indices;
    std::vector<float> data;

    CsrView view() const { return {int64_t(indptr.size()) - 1, cols, indptr.data(), indices.data(), data.data()}; }
};

// Every fifth row is empty; the others have so many distinct entries, some of them negative.
Csr random_matrix(int64_t rows, int32_t cols, int entries, Random& random) {
    Csr X;
    X.cols = cols;
    for (int64_t row = 0; row < rows; ++row) {
        std::vector<int32_t> columns;
        for (int i = 0; i < (row % 5 == 4 ? 0 : entries); ++i) columns.push_back(int32_t(random.below(uint32_t(cols))));
        std::sort(columns.begin(), columns.end());
        columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
        for (const int32_t column : columns) {
            X.indices.push_back(column);
            X.data.push_back(float(int(random.below(10)) - 2) / 32.0f);
        }
        X.indptr.push_back(int64_t(X.indices.size()));
    }
    return X;
}

struct Answers {
    std::vector<int32_t> labels;
    std::vector<float> scores;
    bool operator==(const Answers& other) const { return labels == other.labels && scores == other.scores; }
};

Answers ask(const NeighbourModel& model, NeighbourPool& pool, const CsrView& X, const NeighbourOptions& options,
            const LabelFilter& filter = {}) {
    const size_t size = size_t(X.rows) * size_t(options.k);
    Answers answers{std::vector<int32_t>(size, -7), std::vector<float>(size, -7.0f)};
    nearest_labels(model, pool, X, options, filter, answers.labels.data(), answers.scores.data(), nullptr);
    return answers;
}

void check_sound(const Answers& answers, int32_t n_labels) {
    for (size_t i = 0; i < answers.labels.size(); ++i) {
        const bool none = answers.labels[i] == -1;
        check(answers.labels[i] >= -1 && answers.labels[i] < n_labels, "a label is out of range");
        check(none == std::isinf(answers.scores[i]), "labels and scores do not agree");
        check(none || (answers.scores[i] >= 0.0f && answers.scores[i] <= 1.0f), "a score lies outside 0..1");
    }
}

void test_size(int32_t instances, int32_t features, int entries, uint64_t seed) {
    Random random{seed};
    const int32_t n_labels = 30;
    const Csr columns = random_matrix(features, instances, std::max(1, instances / 20), random);
    const Csr Y = random_matrix(instances, n_labels, 3, random), X = random_matrix(60, features, entries, random);
    const NeighbourModel model{columns.view(), Y.view()};
    NeighbourPool pool;
    for (const int neighbours : {1, 10, 100000}) {
        NeighbourOptions options{neighbours, 3.0, 7, 1};
        const Answers one = ask(model, pool, X.view(), options);
        check_sound(one, n_labels);
        options.threads = 4;
        check(one == ask(model, pool, X.view(), options), "threads change the answers");
        const std::vector<uint8_t> nobody(size_t(n_labels), 0);
        const Answers nothing = ask(model, pool, X.view(), options, {nobody.data(), nullptr, nullptr, false});
        check(std::count(nothing.labels.begin(), nothing.labels.end(), -1) == int64_t(nothing.labels.size()), "a masked label is answered");
        const Csr rows = random_matrix(60, n_labels, 9, random);
        for (const bool only : {false, true})
            check_sound(ask(model, pool, X.view(), options, {nullptr, rows.indptr.data(), rows.indices.data(), only}), n_labels);
    }
}

class StopAtOnce : public Monitor {
public:
    bool keep_going(double) override { return false; }
};

void test_interruption() {
    Random random{9};
    const Csr columns = random_matrix(40, 500, 50, random), Y = random_matrix(500, 9, 2, random);
    const Csr X = random_matrix(300, 40, 9, random);
    NeighbourPool pool;
    std::vector<int32_t> labels(300);
    std::vector<float> scores(300);
    StopAtOnce stop;
    bool told = false;
    try {
        nearest_labels({columns.view(), Y.view()}, pool, X.view(), {5, 1.0, 1, 3}, {}, labels.data(), scores.data(), &stop);
    } catch (const Interrupted&) {
        told = true;
    }
    check(told, "a monitor that says stop is not heard");
}

}  // namespace

int main() {
    test_size(1, 3, 2, 1);
    test_size(64, 20, 5, 2);
    test_size(3000, 400, 1, 3);
    test_size(3000, 50, 30, 4);
    test_interruption();
    std::puts("ok");
}
