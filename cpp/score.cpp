#include "block_scores.hpp"

namespace ramify {

namespace baseline { ScoreKernels score_kernels(); }
#if defined(__x86_64__)
namespace avx2 { ScoreKernels score_kernels(); }
namespace avx512 { ScoreKernels score_kernels(); }
#endif

ScoreKernels score_kernels_for(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx512) return avx512::score_kernels();
    if (isa == Isa::avx2) return avx2::score_kernels();
#endif
    (void)isa;
    return baseline::score_kernels();
}

}  // namespace ramify
