// Scores one block of siblings for one document, and picks the children worth a second look; once per instruction set.
#pragma once
#include <cstdint>

#include "isa.hpp"
#include "packed.hpp"

namespace ramify {

// log of the score that a margin s stands for: -max(0, 1 - s)^power, or log(1 / (1 + exp(-s))).
enum class Transform { hinge1 = 1, hinge2 = 2, hinge3 = 3, hinge4 = 4, sigmoid = 5 };

// A document's features: hashed once for all blocks of all levels.
struct HashedFeatures {
    const uint32_t* hashes;
    const float* values;
    int64_t n;
};

// A feature that the block has weights for.
struct Hit {
    uint32_t entry;  // within the block; before that is known, the hash word
    uint32_t count;  // entries; before that is known, the row
    float value;
};

// Room for as many as the document has features.
struct ScoreScratch {
    uint32_t* candidates;
    Hit* hits;
    Hit* more_hits;
};

// Where an open block keeps a row: the first of `count` entries, or, where that is 0, the number of a dense row.
struct OpenRow {
    uint32_t place;
    uint32_t count;
};

// A block made ready for many documents: rows that name many children lie there as a number for every child.
struct OpenBlock {
    const OpenRow* rows;
    const void* dense;  // int8 numbers, or floats where the level is not int8
    int64_t stride;     // numbers of a dense row: the children, rounded up to 16
};

// A document may find a block open or closed, and its sums must have the same bits: dense rows are summed apart always.
constexpr int64_t kDenseShare = 10;
static inline bool is_dense(int64_t count, int64_t n_children) { return count * kDenseShare >= n_children; }

// margins[child] for every child of the block; room for 256. `open` may be null.
using ScoreBlock = void (*)(const PackedLevel& level, int64_t block, const OpenBlock* open, const HashedFeatures& features, const ScoreScratch& scratch, float* margins);

// Of n margins those that could reach `worst`, the parent's score `above` added to their own log score; a few that
// cannot may be among them. Returns how many; the rest of `chosen` is
// undefined. margins has room for 256; what is not a number counts as -inf.
using ChooseChildren = int (*)(float* margins, int n, float above, Transform transform, float worst, uint8_t* chosen);

struct ScoreKernels {
    ScoreBlock score;
    ChooseChildren choose;
};

// The same bits on every instruction set: nothing is fused, every sum is added in one order.
ScoreKernels score_kernels_for(Isa isa);

}  // namespace ramify
