// The gather dot with 16 lanes. No std:: in here: the linker may pick this file's copy of a template for every CPU.
#include "cluster_dot.hpp"

#if defined(__x86_64__)
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12's own intrinsics header
#endif
#include <immintrin.h>

namespace ramify {

void sparse_dots_avx512(const SparseDots& work) {
    for (int64_t row = work.begin; row < work.end; ++row) {
        __m512 sum = _mm512_setzero_ps();
        int64_t k = work.indptr[row];
        const int64_t end = work.indptr[row + 1];
        for (; k < end; k += 16) {
            const int64_t left = end - k;
            const __mmask16 lanes = left >= 16 ? __mmask16(0xffff) : __mmask16((1u << left) - 1u);
            const __m512i columns = _mm512_maskz_loadu_epi32(lanes, work.indices + k);
            const __m512 entries = _mm512_maskz_loadu_ps(lanes, work.data + k);
            const __m512 gathered =
                _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, columns, work.direction, sizeof(float));
            sum = _mm512_fmadd_ps(entries, gathered, sum);
        }
        work.products[row] = _mm512_reduce_add_ps(sum);
    }
}

void add_dense_dots_avx512(const DenseDots& work) {
    for (int64_t row = work.begin; row < work.end; ++row) {
        const float* vector = work.vectors + int64_t(work.labels[row]) * work.columns;
        const int64_t next = row + 1 < work.end ? int64_t(work.labels[row + 1]) * work.columns : 0;
        __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
        int64_t k = 0;
        for (; k + 64 <= work.columns; k += 64)
            for (int i = 0; i < 4; ++i) {
                _mm_prefetch(reinterpret_cast<const char*>(work.vectors + next + k + i * 16), _MM_HINT_T0);
                sums[i] = _mm512_fmadd_ps(_mm512_loadu_ps(vector + k + i * 16), _mm512_loadu_ps(work.direction + k + i * 16), sums[i]);
            }
        for (; k < work.columns; k += 16) {
            const int64_t left = work.columns - k;
            const __mmask16 lanes = left >= 16 ? __mmask16(0xffff) : __mmask16((1u << left) - 1u);
            sums[0] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, vector + k), _mm512_maskz_loadu_ps(lanes, work.direction + k), sums[0]);
        }
        work.products[row] += _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
    }
}

}  // namespace ramify
#endif
