// Linear classifiers of sibling nodes, one per SIMD lane, by dual coordinate descent.
//
// All children of a parent train on the same rows, so one pass over the rows serves a whole block of siblings: weights
// lie as W[feature][lane], and each lane keeps its own dual variables, shrinking and stopping (Hsieh et al. 2008).
#pragma once
#include <cstdint>

#include "isa.hpp"

namespace ramify {

enum class Loss { squared_hinge = 0, hinge = 1, logistic = 2 };

struct SolverOptions {
    Loss loss = Loss::squared_hinge;
    float cost_positive = 1.0f;
    float cost_negative = 1.0f;
    float epsilon = 0.1f;  // stop when the projected gradients of a lane differ by at most this
    int max_passes = 100;
};

// From this tolerance on training may round: rows with nothing to change rest, large W are kept as halves of floats.
constexpr float kLooseTolerance = 0.1f;

struct LocalEntry {
    int32_t feature;  // numbered within the node
    float value;
};

// The rows of one node with their features renumbered. A feature that only one row has is left out: it folds exactly
// into that row's diagonal (`own_square`), and its weight is dual variable times value.
struct NodeRows {
    int64_t n_rows = 0;
    int32_t n_features = 0;
    const int64_t* begin = nullptr;      // n_rows + 1, into entries
    const LocalEntry* entries = nullptr;
    const float* own_square = nullptr;   // sum of squares of the row's private features
    const float* square = nullptr;       // squared norm of the whole row, the intercept's 1 included
    const float* weight = nullptr;       // instance weights, or null
};

// Bit l of a mask speaks of lane l. What is said per row and lane lies at [row * stride + lane].
struct LaneTargets {
    int stride = 0;                        // from Solver::stride
    uint32_t lanes = 0;                    // lanes in use
    const uint32_t* positive = nullptr;    // per row: lanes whose label the row has
    const uint32_t* eligible = nullptr;    // per row: lanes that train on the row
    const float* relevance = nullptr;      // per row and lane: factor of the positive cost, or null
    int relevance_stride = 0;              // as stride, or 0 where one row of it serves all
};

struct LaneState {
    void* weights = nullptr;    // n_features x stride, floats or halves, zero at the start
    float* dual = nullptr;      // n_rows x stride, zero at the start
    float* bias = nullptr;      // stride, zero at the start
    uint32_t* active = nullptr; // n_rows
    int32_t* order = nullptr;   // n_rows
    uint8_t* rests = nullptr;   // n_rows; 1: left out of the next pass
    uint64_t seed = 0;
    bool (*keep_going)(void*) = nullptr;  // asked before every pass; false: leave at once, the state is then worthless
    void* asker = nullptr;
};

struct LaneWeight {
    int32_t feature;  // node's number
    uint8_t lane;
    float value;
};

// The features [first, last) of W; `out` has room for all their weights.
struct WeightRange {
    const void* weights;
    int stride;
    uint32_t lanes;    // in use
    int32_t first, last;
    float threshold;   // smaller weights are left out, and zeros
};

struct Solver {
    int lanes;         // siblings that are solved together at most
    int narrow;        // lanes that cost a register
    int weight_bytes;  // 4, or 2 where weights are kept as half floats
    void (*solve)(const NodeRows&, const LaneTargets&, const SolverOptions&, LaneState&);
    int64_t (*pick)(const WeightRange&, LaneWeight* out);  // by feature, then lane; returns how many

    // Lanes that n siblings take up.
    int stride(int n) const {
        int width = narrow;
        while (width < n) width *= 2;
        return width;
    }
};

// Static: files of several instruction sets include it, and the linker must not mix them.
static inline uint32_t low_bits(int n) { return n >= 32 ? ~0u : (1u << n) - 1; }

// Training waits for random reads of W. Where W does not fit a core's own cache, halves of floats are faster: 11 exact bits
// are enough for a tolerance of a tenth, not for one of a thousandth.
struct Solvers {
    Solver floats, halves;

    const Solver& for_features(int64_t n) const { return n * floats.lanes * 4 > kCache ? halves : floats; }
    static constexpr int64_t kCache = int64_t(1) << 19;
};

// The widest that the processor runs well. Without `allow_halves`, or where it cannot convert them, both are of floats.
Solvers solvers_for(Isa isa, bool allow_halves);

}  // namespace ramify
