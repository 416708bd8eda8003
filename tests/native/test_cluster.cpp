// Exercises the clustering and aggregation kernels under sanitizers:
//   g++ -std=gnu++20 -g -O2 -fsanitize=address,undefined -Icpp tests/native/test_cluster.cpp cpp/cluster_[bcnps]*.cpp
//       cpp/cluster_dot.cpp cpp/pifa.cpp cpp/isa.cpp cpp/cluster_dot_avx512.o -lpthread && ./a.out
// where the .o is made first with -mavx512f -mavx512bw -mavx512dq -mavx512vl -c; -fsanitize=thread likewise.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "cluster_bisect.hpp"
#include "cluster_nearest.hpp"
#include "cluster_random.hpp"
#include "pifa.hpp"

namespace {

using namespace ramify;

void check(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

struct Matrix {
    int64_t rows, cols;
    std::vector<int64_t> indptr;
    std::vector<int32_t> indices;
    std::vector<float> data;
    CsrView view() const { return {rows, cols, indptr.data(), indices.data(), data.data()}; }
};

// Every row has each column with probability 1 / rarity; some rows stay empty.
Matrix random_matrix(int64_t rows, int64_t cols, uint64_t rarity, uint64_t seed) {
    Matrix matrix{rows, cols, {0}, {}, {}};
    Random random(seed);
    for (int64_t row = 0; row < rows; ++row) {
        const bool empty = random.below(10) == 0;
        for (int64_t column = 0; column < cols && !empty; ++column) {
            if (random.below(rarity) != 0) continue;
            matrix.indices.push_back(int32_t(column));
            matrix.data.push_back(float(random.below(1000)) / 500.0f - 0.7f);
        }
        matrix.indptr.push_back(int64_t(matrix.indices.size()));
    }
    return matrix;
}

Matrix transpose(const Matrix& matrix) {
    Matrix out{matrix.cols, matrix.rows, {0}, {}, {}};
    for (int64_t column = 0; column < matrix.cols; ++column) {
        for (int64_t row = 0; row < matrix.rows; ++row)
            for (int64_t k = matrix.indptr[size_t(row)]; k < matrix.indptr[size_t(row) + 1]; ++k)
                if (matrix.indices[size_t(k)] == column) {
                    out.indices.push_back(int32_t(row));
                    out.data.push_back(matrix.data[size_t(k)]);
                }
        out.indptr.push_back(int64_t(out.indices.size()));
    }
    return out;
}

std::vector<float> densify(const Matrix& matrix) {
    std::vector<float> dense(size_t(matrix.rows * matrix.cols), 0.0f);
    for (int64_t row = 0; row < matrix.rows; ++row)
        for (int64_t k = matrix.indptr[size_t(row)]; k < matrix.indptr[size_t(row) + 1]; ++k)
            dense[size_t(row * matrix.cols + matrix.indices[size_t(k)])] = matrix.data[size_t(k)];
    return dense;
}

constexpr int64_t kDense = 37;

std::vector<float> random_block(int64_t n, uint64_t seed) {
    std::vector<float> block;
    for (int64_t i = 0; i < n; ++i) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        block.push_back(float(int32_t(seed >> 40 & 255) - 128) / 64.0f);
    }
    return block;
}

void test_pifa(int threads) {
    const Matrix X = random_matrix(300, 5000, 200, 1), members = random_matrix(260, 300, 40, 2);
    const std::vector<float> weights(300, 0.5f);
    for (const int64_t limit : {int64_t(1), int64_t(7), int64_t(5001)}) {
        const std::vector<float> block = random_block(300 * kDense, 4);
        const PifaInput input{FeatureView(X.view(), kDense, block.data(), weights.data()), members.view(), weights.data(), limit, threads};
        std::vector<int64_t> indptr(261, 0);
        pifa_count(input, indptr.data() + 1, nullptr);
        std::partial_sum(indptr.begin(), indptr.end(), indptr.begin());
        std::vector<int32_t> indices(static_cast<size_t>(indptr.back()));
        std::vector<float> data(indices.size());
        std::vector<float> dense(260 * kDense);
        pifa_fill(input, {indptr.data(), indices.data(), data.data(), dense.data()}, nullptr);
        for (size_t label = 0; label < 260; ++label) {
            double square = 0.0;
            for (size_t column = 0; column < kDense; ++column) square += double(dense[label * kDense + column]) * dense[label * kDense + column];
            for (int64_t k = indptr[label]; k < indptr[label + 1]; ++k) {
                square += double(data[size_t(k)]) * data[size_t(k)];
                check(k == indptr[label] || indices[size_t(k) - 1] < indices[size_t(k)], "pifa columns ascend");
            }
            check(indptr[label] == indptr[label + 1] || std::fabs(square - 1.0) < 1e-4, "pifa rows have length one");
        }
    }
}

// Halves of halves, down to single labels at the beginning.
struct Halves {
    std::vector<int64_t> middles;
    std::vector<int32_t> lefts, rights;
    int32_t add(int64_t begin, int64_t end) {
        if (end - begin < 2 || (end - begin < 100 && end > 400)) return -1;
        const size_t cut = middles.size();
        middles.push_back((begin + end) / 2);
        lefts.push_back(-1);
        rights.push_back(-1);
        const int32_t left = add(begin, (begin + end) / 2), right = add((begin + end) / 2, end);
        lefts[cut] = left;
        rights[cut] = right;
        return int32_t(cut);
    }
};

void check_order(std::vector<int32_t> order) {
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < order.size(); ++i) check(order[i] == int32_t(i), "every label once");
}

void test_bisect(int threads, int64_t labels) {
    const Matrix Z = random_matrix(labels, 400, 7, 3);
    const std::vector<float> dense = densify(Z);
    Halves halves;
    halves.add(0, labels);
    const CutPlan plan{int64_t(halves.middles.size()), halves.middles.data(), halves.lefts.data(),
                       halves.rights.data()};
    const std::vector<float> block = random_block(labels * kDense, 5);
    const FeatureView vectors = Z.view(), beside(Z.view(), kDense, block.data(), nullptr);
    const std::vector<int64_t> no_entries(size_t(labels) + 1, 0);
    const CsrView empty{labels, 1, no_entries.data(), nullptr, nullptr};
    for (const bool spherical : {true, false}) {
        std::vector<int32_t> order(size_t(labels), -1), inline_order(size_t(labels), -1);
        balanced_order(vectors, plan, {spherical, 3, 0.002, 7, threads, 9, 2}, order.data(), nullptr);
        balanced_order(vectors, plan, {spherical, 3, 0.002, 7, 1, 9, 2}, inline_order.data(), nullptr);
        check(order == inline_order, "threads change nothing");
        check_order(order);
        for (const FeatureView& full : {FeatureView(empty, 400, dense.data(), nullptr), beside}) {
            balanced_order(full, plan, {spherical, 3, 0.002, 7, threads, 3, 2}, order.data(), nullptr);
            balanced_order(full, plan, {spherical, 3, 0.002, 7, 1, 3, 2}, inline_order.data(), nullptr);
            check(order == inline_order, "threads change nothing with a dense block");
            check_order(order);
        }
    }
}

void test_nearest(int threads) {
    const Matrix Z = random_matrix(300, 60, 12, 5), columns = transpose(Z);
    std::vector<int32_t> neighbours(300 * 9);
    std::vector<float> products(300 * 9);
    nearest({Z.view(), columns.view(), 9, threads}, neighbours.data(), products.data(), nullptr);
    for (size_t row = 0; row < 300; ++row)
        for (size_t i = 1; i < 9; ++i)
            check(products[row * 9 + i] <= products[row * 9 + i - 1], "neighbours descend");
}

}  // namespace

int main() {
    for (const int threads : {1, 3}) {
        test_pifa(threads);
        for (const int64_t labels : {1, 2, 3, 300, 8000}) test_bisect(threads, labels);
        test_nearest(threads);
    }
    std::puts("ok");
}
