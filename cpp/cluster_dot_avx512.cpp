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

}  // namespace ramify
#endif
