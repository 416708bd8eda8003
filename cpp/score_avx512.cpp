#if defined(__x86_64__)
#define RAMIFY_LANES 16
#define RAMIFY_ISA_NAMESPACE avx512
#include "score_lanes.hpp"
#endif
