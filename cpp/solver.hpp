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

// Bit l of a mask speaks of lane l.
struct LaneTargets {
    uint32_t lanes = 0;                    // lanes in use
    const uint32_t* positive = nullptr;    // per row: lanes whose label the row has
    const uint32_t* eligible = nullptr;    // per row: lanes that train on the row
    const float* relevance = nullptr;      // per row and lane: factor of the positive cost, or null
};

struct LaneState {
    float* weights = nullptr;   // n_features x lanes, zero at the start
    float* dual = nullptr;      // n_rows x lanes, zero at the start
    float* bias = nullptr;      // lanes, zero at the start
    uint32_t* active = nullptr; // n_rows
    int32_t* order = nullptr;   // n_rows
    uint64_t seed = 0;
    bool (*keep_going)(void*) = nullptr;  // asked before every pass; false: leave at once, the state is then worthless
    void* asker = nullptr;
};

using SolveLanes = void (*)(const NodeRows&, const LaneTargets&, const SolverOptions&, LaneState&);

struct Solver {
    int lanes;
    SolveLanes solve;
};

// The widest solver that the processor runs well.
Solver solver_for(Isa isa);

}  // namespace ramify
