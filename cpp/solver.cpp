#include "solver.hpp"

namespace ramify {

namespace baseline { Solver solver(bool half); }
#if defined(__x86_64__)
namespace avx2 { Solver solver(bool half); }
namespace avx512 { Solver solver(bool half); }
#endif

static Solver solver_for(Isa isa, bool half) {
#if defined(__x86_64__)
    if (isa == Isa::avx512) return avx512::solver(half);
    if (isa == Isa::avx2) return avx2::solver(half);
#endif
    (void)isa;
    return baseline::solver(half);
}

Solvers solvers_for(Isa isa, bool allow_halves) { return {solver_for(isa, false), solver_for(isa, allow_halves)}; }

}  // namespace ramify
