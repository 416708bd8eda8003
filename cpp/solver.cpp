#include "solver.hpp"

namespace ramify {

namespace baseline { Solver solver(); }
#if defined(__x86_64__)
namespace avx2 { Solver solver(); }
namespace avx512 { Solver solver(); }
#endif

Solver solver_for(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx512) return avx512::solver();
    if (isa == Isa::avx2) return avx2::solver();
#endif
    (void)isa;
    return baseline::solver();
}

}  // namespace ramify
