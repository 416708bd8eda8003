// Scores one block of siblings for one document, and selects candidate children; compiled once per instruction set.
#pragma once
#include <cstdint>

#include "isa.hpp"
#include "packed.hpp"

namespace ramify {

// Log score of a margin s: -max(0, 1 - s)^power, or log(1 / (1 + exp(-s))).
enum class Transform { hinge1 = 1, hinge2 = 2, hinge3 = 3, hinge4 = 4, sigmoid = 5 };

// A document's sparse features, hashed once for all blocks of all levels.
struct HashedFeatures {
    const uint32_t* hashes;
    const float* values;
    int64_t n;
};

// The product of a document's dense block with the weights of each child of a block; null sums without a dense block.
struct DenseProducts {
    const float* sums;  // before the scales of document and child
    float scale;        // of the document
};

// The dense blocks of documents that visit the same block: its weights are read and converted once for all of them.
constexpr int kDenseGroup = 8;
struct DenseGroup {
    const float* values[kDenseGroup];  // per document
    int n;
};

// A feature that the block has weights for.
struct Hit {
    uint32_t entry;  // within the block; temporarily the hash word
    uint32_t count;  // number of entries; temporarily the row
    float value;
};

// Capacity for the features of the document.
struct ScoreScratch {
    uint32_t* candidates;
    Hit* hits;
    Hit* more_hits;
};

// A row of an expanded block: the first of `count` entries, or, if `count` is 0, the number of a dense row.
struct OpenRow {
    uint32_t place;
    uint32_t count;
};

// A block expanded for many documents: rows that cover many children are stored dense, one number per child.
struct OpenBlock {
    const OpenRow* rows;
    const void* dense;  // int8 numbers, or floats where the level is not int8
    int64_t stride;     // length of a dense row: the number of children, rounded up to 16
};

// The sums must have the same bits for expanded and packed blocks: dense rows are always summed separately.
constexpr int64_t kDenseShare = 10;
static inline bool is_dense(int64_t count, int64_t n_children) { return count * kDenseShare >= n_children; }

// margins[child] for every child of the block; room for 256. `open` may be null.
using ScoreBlock = void (*)(const PackedLevel& level, int64_t block, const OpenBlock* open, const HashedFeatures& features, const DenseProducts& dense, const ScoreScratch& scratch, float* margins);

// sums[document][child]; a document has room for 256.
using MultiplyDense = void (*)(const PackedLevel& level, int64_t block, const DenseGroup& documents, float* sums);

// Selects the margins whose log score plus the parent's score `above` could reach `worst`, and possibly a few others.
// Returns their number; the rest of `chosen` is undefined. margins has room for 256; NaN is treated as -inf.
using ChooseChildren = int (*)(float* margins, int n, float above, Transform transform, float worst, uint8_t* chosen);

struct ScoreKernels {
    ScoreBlock score;
    MultiplyDense multiply;
    ChooseChildren choose;
};

// The same bits on every instruction set: no fused operations, and a fixed order of every sum.
ScoreKernels score_kernels_for(Isa isa);

}  // namespace ramify
