// The weights of one level for prediction: all children of a parent in one block, found by feature.
//
// A block holds up to 256 siblings. Its rows are the features that any of them has a weight for. A feature is hashed
// by an odd multiplier modulo 2^bits, which is a bijection; the top bits name a slot of a bitmap with about 8 slots a
// row, so one bit identifies most features that the block does not have. Rows lie in slot order: the rank of the bit is the
// row's number, and the key (low bits of the hash) distinguishes rows of neighbouring slots exactly.
//
// Weights of a dense block of columns are beside them: per block, per 16 children (the last ones padded by zeros), a matrix
// of columns x 16 children.
#pragma once
#include <cstdint>
#include <cstring>

#include "csr.hpp"

namespace ramify {

enum class Precision { int8 = 0, bf16 = 1, fp32 = 2 };

// Functions here are static: files of several instruction sets include them, and the linker must not mix them.
// Bytes of an entry: the child's number within the block, then its weight.
static constexpr int entry_bytes(Precision precision) {
    return precision == Precision::int8 ? 2 : precision == Precision::bf16 ? 3 : 5;
}

// The weight of an entry; int8 is a multiple of the scale of its child.
template <Precision precision>
static inline float stored_weight(const uint8_t* record) {
    float weight;
    if constexpr (precision == Precision::int8) {
        weight = float(int8_t(record[1]));
    } else if constexpr (precision == Precision::bf16) {
        const uint32_t bits = uint32_t(record[1]) << 16 | uint32_t(record[2]) << 24;
        std::memcpy(&weight, &bits, 4);
    } else {
        std::memcpy(&weight, record + 1, 4);
    }
    return weight;
}

struct HashWord {
    uint64_t bits;   // which of 64 slots hold a row
    uint32_t row;    // rows of the block before this word
    uint32_t entry;  // entries of the block before this word
};
static_assert(sizeof(HashWord) == 16);

struct PackedLevel {
    int64_t n_nodes = 0, n_parents = 0, n_blocks = 0;
    int64_t n_words = 0, n_rows = 0, n_entries = 0;
    int hash_bits = 0;     // features lie in [0, 2^hash_bits)
    bool wide_keys = false;
    Precision precision = Precision::int8;
    const int64_t* parent_blocks = nullptr;  // n_parents + 1
    const int64_t* block_begin = nullptr;    // n_blocks + 1, children
    const int64_t* block_words = nullptr;    // n_blocks + 1
    const int64_t* block_rows = nullptr;     // n_blocks + 1
    const int64_t* block_entries = nullptr;  // n_blocks + 1
    const HashWord* words = nullptr;
    const void* keys = nullptr;              // uint16 or uint32 per row
    const uint8_t* counts = nullptr;         // per row: entries - 1
    const uint8_t* entries = nullptr;
    const float* scale = nullptr;            // per node
    const float* bias = nullptr;             // per node
    int64_t n_dense = 0;                     // columns of the dense block
    const int64_t* block_dense = nullptr;    // n_blocks + 1, into dense
    const void* dense = nullptr;             // int8, bf16 or float: see Precision
    const float* dense_scale = nullptr;      // per node

    int64_t first_child(int64_t parent) const { return block_begin[parent_blocks[parent]]; }
    int64_t end_child(int64_t parent) const { return block_begin[parent_blocks[parent + 1]]; }
};

constexpr int64_t kPanel = 16;  // children of one matrix of dense weights

constexpr uint32_t kHashMultiplier = 0x9e3779b1u;

static inline uint32_t hash_feature(uint32_t feature, int bits) {
    return (feature * kHashMultiplier) & (bits >= 32 ? ~0u : (1u << bits) - 1);
}

// The inverse of the multiplier.
constexpr uint32_t inverse_multiplier() {
    uint32_t inverse = kHashMultiplier;
    for (int step = 0; step < 5; ++step) inverse *= 2u - kHashMultiplier * inverse;
    return inverse;
}

static inline uint32_t unhash_feature(uint32_t hash, int bits) {
    return (hash * inverse_multiplier()) & (bits >= 32 ? ~0u : (1u << bits) - 1);
}

// Keys of 16 bits are exact while a row lies within 16 slots of its own and a slot spans at most 2^12 hashes.
constexpr int kNarrowKeyBits = 16;
constexpr int kMaxNarrowShift = 12;
constexpr int kMaxNarrowProbe = 16;

static inline int log2_exact(uint64_t power) { return __builtin_ctzll(power); }

}  // namespace ramify
