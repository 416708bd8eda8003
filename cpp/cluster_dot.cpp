#include "cluster_dot.hpp"

#include "isa.hpp"

namespace ramify {
namespace {

#if defined(__x86_64__)
const Isa kIsa = detect_isa();
#endif

void sparse_dots_plain(const SparseDots& work) {
    const float* direction = work.direction;
    for (int64_t row = work.begin; row < work.end; ++row) {
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};  // four chains: an addition takes four cycles
        int64_t k = work.indptr[row];
        const int64_t end = work.indptr[row + 1];
        for (; k + 4 <= end; k += 4)
            for (int lane = 0; lane < 4; ++lane) sums[lane] += work.data[k + lane] * direction[work.indices[k + lane]];
        for (; k < end; ++k) sums[0] += work.data[k] * direction[work.indices[k]];
        work.products[row] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}

void add_dense_dots_plain(const DenseDots& work) {
    constexpr int kLanes = 16;
    for (int64_t row = work.begin; row < work.end; ++row) {
        const float* vector = work.vectors + int64_t(work.labels[row]) * work.columns;
        float sums[kLanes] = {};
        int64_t k = 0;
        for (; k + kLanes <= work.columns; k += kLanes)
            for (int lane = 0; lane < kLanes; ++lane) sums[lane] += vector[k + lane] * work.direction[k + lane];
        float sum = 0.0f;
        for (; k < work.columns; ++k) sum += vector[k] * work.direction[k];
        for (const float part : sums) sum += part;
        work.products[row] += sum;
    }
}

}  // namespace

void sparse_dots(const SparseDots& work) {
#if defined(__x86_64__)
    if (kIsa == Isa::avx512) return sparse_dots_avx512(work);
#endif
    sparse_dots_plain(work);
}

void add_dense_dots(const DenseDots& work) {
#if defined(__x86_64__)
    if (kIsa == Isa::avx512) return add_dense_dots_avx512(work);
#endif
    add_dense_dots_plain(work);
}

}  // namespace ramify
