// The instruction set of this processor.
#pragma once

namespace ramify {

enum class Isa { baseline = 0, avx2 = 1, avx512 = 2 };

// The widest that kernels may use. RAMIFY_ISA=baseline|avx2 lowers it, for tests.
Isa detect_isa();

}  // namespace ramify
