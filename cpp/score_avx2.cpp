#if defined(__x86_64__)
#define RAMIFY_LANES 8
#define RAMIFY_ISA_NAMESPACE avx2
#include "score_lanes.hpp"
#endif
