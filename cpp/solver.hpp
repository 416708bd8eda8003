// Linear classifiers of sibling nodes, one per SIMD lane, by dual coordinate descent.
//
// All children of a parent train on the same rows, so one pass over the rows trains a whole block of siblings: weights
// are stored as W[feature][lane], and each lane has its own dual variables, shrinking and stopping (Hsieh et al. 2008;
// docs/papers.md).
//
// With a loose tolerance, the negatives that hardly share features with any positive of the lanes are merged into one row
// without features: each of them has the margin -intercept, and one dual variable with a closed form replaces theirs.
// The intercept then follows every step at once; otherwise each step of a positive takes steps of many negatives, which
// only move the intercept back. The weights of the positives alone decide which rows are merged.
//
// Rows may have a dense block: its weights are W[column][lane] as well, always in float, and a row's values are read in
// place, without indices. No product of two dense rows is 0, so rows with a dense block are not merged.
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

// From this tolerance on unchanged rows are skipped for a pass, far rows are merged, and a large W is kept in half
// precision. Where rows are merged, rows that lanes have dropped are not checked again.
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
    int64_t n_dense = 0;                 // columns of the dense block
    const float* const* dense = nullptr; // per row: its dense values; null without a dense block
    const float* dense_scale = nullptr;  // per row: factor of the dense values
};

// Bit l of a mask is for lane l. Values per row and lane are at [row * stride + lane].
struct LaneTargets {
    int stride = 0;                        // from Solver::stride
    uint32_t lanes = 0;                    // lanes in use
    const uint32_t* positive = nullptr;    // per row: lanes whose label the row has
    const uint32_t* eligible = nullptr;    // per row: lanes that train on the row
    const float* relevance = nullptr;      // per row and lane: factor of the positive cost, or null
    int relevance_stride = 0;              // as stride, or 0 if one row is used for all
};

// What a step reads of its row, in one place because rows are visited in random order.
struct LaneRow {
    int64_t begin;      // into entries
    int32_t length;
    float square, own_square;  // as in NodeRows
    uint32_t positive;  // as in LaneTargets
    uint32_t active;    // lanes that have not dropped the row
    uint32_t held;      // lanes with a dual variable other than 0
    uint32_t rests;     // 1: skipped in the next pass; 2: merged
};

struct LaneState {
    void* weights = nullptr;    // n_features x stride, float or half, initially 0
    float* dual = nullptr;      // n_rows x stride, zero at the start
    float* bias = nullptr;      // stride, zero at the start
    LaneRow* rows = nullptr;    // n_rows, workspace
    int32_t* order = nullptr;   // n_rows, workspace
    float* strength = nullptr;  // n_features, workspace
    float* dense_weights = nullptr;  // n_dense x stride, initially 0
    uint64_t seed = 0;
    bool (*keep_going)(void*) = nullptr;  // called before every pass; false: stop at once, the state is then invalid
    void* asker = nullptr;
};

struct LaneWeight {
    int32_t feature;  // node's number
    uint8_t lane;
    float value;
};

// The features [first, last) of W; `out` has the capacity for all their weights.
struct WeightRange {
    const void* weights;
    int stride;
    uint32_t lanes;    // in use
    int32_t first, last;
    float threshold;   // smaller weights and zeros are left out
};

struct Solver {
    int lanes;         // maximum number of siblings solved together
    int narrow;        // lanes of one register
    int weight_bytes;  // 4, or 2 for half precision
    void (*solve)(const NodeRows&, const LaneTargets&, const SolverOptions&, LaneState&);
    int64_t (*pick)(const WeightRange&, LaneWeight* out);  // by feature, then lane; returns their number

    // Number of lanes of n siblings.
    int stride(int n) const {
        int width = narrow;
        while (width < n) width *= 2;
        return width;
    }
};

// Static: files of several instruction sets include it, and the linker must not mix them.
static inline uint32_t low_bits(int n) { return n >= 32 ? ~0u : (1u << n) - 1; }

// Random reads of W dominate the time. If W does not fit the cache of a core, half precision is faster; its 11 bits are
// enough for a tolerance of 0.1, but not for 0.001.
struct Solvers {
    Solver floats, halves;

    const Solver& for_features(int64_t n) const { return n * floats.lanes * 4 > kCache ? halves : floats; }
    static constexpr int64_t kCache = int64_t(1) << 19;
};

// The widest solver of the processor. Without `allow_halves`, or without conversion instructions, both use float.
Solvers solvers_for(Isa isa, bool allow_halves);

}  // namespace ramify
