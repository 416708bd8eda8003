#define RAMIFY_LANES 4
#define RAMIFY_ISA_NAMESPACE baseline
#include "score_lanes.hpp"
