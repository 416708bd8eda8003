// Vectors of RAMIFY_LANES floats, for files compiled once per instruction set: define RAMIFY_LANES and
// RAMIFY_ISA_NAMESPACE, then include. No std:: templates in such files: the linker could merge an AVX-512 copy of one
// into the baseline.
#pragma once
#include <cstdint>
#if defined(__x86_64__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12's own intrinsics header
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#endif

namespace ramify::RAMIFY_ISA_NAMESPACE {
namespace {

constexpr int kLanes = RAMIFY_LANES;
typedef float Floats __attribute__((vector_size(4 * RAMIFY_LANES), aligned(4)));
typedef int32_t Ints __attribute__((vector_size(4 * RAMIFY_LANES), aligned(4)));

inline Floats load(const float* p) { return *reinterpret_cast<const Floats*>(p); }
inline void store(float* p, Floats v) { *reinterpret_cast<Floats*>(p) = v; }
inline Floats spread(float x) { return Floats{} + x; }

inline Ints lane_bits() {
    Ints bits;
    for (int lane = 0; lane < kLanes; ++lane) bits[lane] = 1 << lane;
    return bits;
}
inline Ints to_vector(uint32_t mask) { return ((Ints{} + int32_t(mask)) & lane_bits()) != 0; }

inline uint32_t to_mask(Ints v) {
#if RAMIFY_LANES == 16 && defined(__AVX512DQ__)
    return _mm512_movepi32_mask((__m512i)v);
#elif RAMIFY_LANES == 8 && defined(__AVX__)
    return uint32_t(_mm256_movemask_ps((__m256)v));
#elif RAMIFY_LANES == 4 && defined(__SSE2__)
    return uint32_t(_mm_movemask_ps((__m128)v));
#else
    uint32_t mask = 0;
    for (int lane = 0; lane < kLanes; ++lane) mask |= uint32_t(v[lane] != 0) << lane;
    return mask;
#endif
}

}  // namespace
}  // namespace ramify::RAMIFY_ISA_NAMESPACE
