// Weights of many classifiers side by side, one per lane: products with rows, and steps along them. See lanes.hpp.
#pragma once
#include <math.h>

#include "lanes.hpp"
#include "solver.hpp"

namespace ramify::RAMIFY_ISA_NAMESPACE {
namespace {

struct Random {
    uint64_t state;
    uint32_t below(uint32_t bound) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return uint32_t(((state >> 32) * bound) >> 32);
    }
};

inline void shuffle(int32_t* order, int64_t n, Random& random) {
    for (int64_t last = n - 1; last > 0; --last) {
        const uint32_t other = random.below(uint32_t(last + 1));
        const int32_t kept = order[last];
        order[last] = order[other];
        order[other] = kept;
    }
}

// Weights as they are kept: floats, or halves where the processor converts them.
inline Floats load_weights(const float* p) { return load(p); }
inline void store_weights(float* p, Floats v) { store(p, v); }
#if RAMIFY_LANES == 16 && defined(__AVX512F__)
#define RAMIFY_HALVES
inline Floats load_weights(const uint16_t* p) { return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline void store_weights(uint16_t* p, Floats v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT));
}
#elif RAMIFY_LANES == 8 && defined(__F16C__)
#define RAMIFY_HALVES
inline Floats load_weights(const uint16_t* p) { return (Floats)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
inline void store_weights(uint16_t* p, Floats v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
}
#endif

// kParts registers of lanes at once.
template <int kParts, class Weight>
inline void dot(const LocalEntry* first, const LocalEntry* last, const Weight* weights, Floats* products) {
    constexpr int kChains = 4 / kParts;  // an addition takes four cycles
    constexpr int64_t kStride = kParts * kLanes;
    Floats sums[kChains][kParts] = {};
    for (; last - first >= kChains; first += kChains)
        for (int i = 0; i < kChains; ++i)
            for (int part = 0; part < kParts; ++part)
                sums[i][part] += first[i].value * load_weights(weights + first[i].feature * kStride + part * kLanes);
    for (; first != last; ++first)
        for (int part = 0; part < kParts; ++part)
            sums[0][part] += first->value * load_weights(weights + first->feature * kStride + part * kLanes);
    for (int part = 0; part < kParts; ++part) {
        if constexpr (kChains == 4)
            products[part] = (sums[0][part] + sums[1][part]) + (sums[2][part] + sums[3][part]);
        else
            products[part] = sums[0][part] + sums[1][part];
    }
}

template <int kParts, class Weight>
inline void add(const LocalEntry* first, const LocalEntry* last, const Floats* steps, Weight* weights) {
    for (; first != last; ++first)
        for (int part = 0; part < kParts; ++part) {
            Weight* w = weights + first->feature * int64_t(kParts * kLanes) + part * kLanes;
            store_weights(w, load_weights(w) + first->value * steps[part]);
        }
}

// Dense rows of one group, and the factor of each.
template <int kRows>
struct DenseRows {
    const float* values[kRows];
    float scale[kRows];
};

// products[row] = scale * (values · weights), weights[column][lane]: each weight is loaded once for all rows. The `next` rows
// are prefetched line by line, because a prefetch of whole rows at once would wait for memory.
template <int kRows, int kParts>
inline void multiply_dense(const DenseRows<kRows>& rows, const float* const* next, int64_t n, const float* weights, Floats (*products)[kParts]) {
    constexpr int kSums = kRows * kParts, kChains = kSums < 8 ? 8 / kSums : 1;  // two fused operations per cycle, each of four cycles
    constexpr int64_t kStride = kParts * kLanes, kLine = 64 / sizeof(float);
    Floats sums[kChains][kRows][kParts] = {};
    int64_t column = 0;
    for (; column + kLine <= n; column += kLine) {
        for (int row = 0; row < kRows; ++row) __builtin_prefetch(next[row] + column);
        for (int64_t at = column; at < column + kLine; at += kChains)
            for (int i = 0; i < kChains; ++i)
                for (int part = 0; part < kParts; ++part) {
                    const Floats w = load(weights + (at + i) * kStride + part * kLanes);
                    for (int row = 0; row < kRows; ++row) sums[i][row][part] += rows.values[row][at + i] * w;
                }
    }
    for (; column < n; ++column)
        for (int part = 0; part < kParts; ++part) {
            const Floats w = load(weights + column * kStride + part * kLanes);
            for (int row = 0; row < kRows; ++row) sums[0][row][part] += rows.values[row][column] * w;
        }
    for (int row = 0; row < kRows; ++row)
        for (int part = 0; part < kParts; ++part) {
            Floats sum = sums[0][row][part];
            for (int i = 1; i < kChains; ++i) sum += sums[i][row][part];
            products[row][part] = rows.scale[row] * sum;
        }
}

// weights[column] += sum over rows of scale * values[column] * steps.
template <int kRows, int kParts>
inline void add_dense(const DenseRows<kRows>& rows, int64_t n, const Floats (*steps)[kParts], float* weights) {
    Floats scaled[kRows][kParts];
    for (int row = 0; row < kRows; ++row)
        for (int part = 0; part < kParts; ++part) scaled[row][part] = rows.scale[row] * steps[row][part];
    for (int64_t column = 0; column < n; ++column)
        for (int part = 0; part < kParts; ++part) {
            float* const at = weights + (column * kParts + part) * kLanes;
            Floats w = load(at);
            for (int row = 0; row < kRows; ++row) w += rows.values[row][column] * scaled[row][part];
            store(at, w);
        }
}

inline float dense_dot(const float* a, const float* b, int64_t n) {
    Floats sums[4] = {};
    int64_t column = 0;
    for (; column + 4 * kLanes <= n; column += 4 * kLanes)
        for (int i = 0; i < 4; ++i) sums[i] += load(a + column + i * kLanes) * load(b + column + i * kLanes);
    const Floats sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    float dot = 0.0f;
    for (int lane = 0; lane < kLanes; ++lane) dot += sum[lane];
    for (; column < n; ++column) dot += a[column] * b[column];
    return dot;
}

// z in (0, C) with a (z - z0) + b + log(z / (C - z)) = 0, by Newton steps on the logit of z inside a bracket:
// there the function rises with slope 1 to 1 + aC/4, so it cannot run away (dual of Yu, Huang and Lin 2011).
inline float logistic_root(float a, float b, float z0, float C, float* gradient) {
    const float share = z0 / C;
    float t = share <= 0.0f ? -16.0f : share >= 1.0f ? 16.0f : logf(share / (1.0f - share));
    float low = -40.0f, high = 40.0f;
    for (int step = 0; step < 24; ++step) {
        const float sigma = 1.0f / (1.0f + expf(-t));
        const float value = a * (C * sigma - z0) + b + t;
        if (step == 0) *gradient = fabsf(value);
        if (fabsf(value) < 1e-4f) break;
        (value > 0.0f ? high : low) = t;
        t -= value / (1.0f + a * C * sigma * (1.0f - sigma));
        if (t <= low || t >= high) t = 0.5f * (low + high);
    }
    return C / (1.0f + expf(-t));
}

}  // namespace
}  // namespace ramify::RAMIFY_ISA_NAMESPACE
