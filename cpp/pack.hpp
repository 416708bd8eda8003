// Builds the prediction layout of packed.hpp from trained weights, and restores the weights.
#pragma once
#include <vector>

#include "packed.hpp"

namespace ramify {

// Weights of one level grouped by block and feature, in the layout of train.hpp.
struct PlainLevel {
    int64_t n_nodes = 0, n_blocks = 0;
    const int64_t* block_begin = nullptr;   // n_blocks + 1, children
    const int64_t* block_rows = nullptr;    // n_blocks + 1
    const int32_t* features = nullptr;      // per row, ascending within a block
    const int64_t* row_entries = nullptr;   // rows + 1
    const uint8_t* children = nullptr;      // per entry
    const float* values = nullptr;          // per entry
};

struct PackPlan {
    bool wide_keys = false;
    std::vector<int> slot_bits;        // per block; -1: the block is empty
    std::vector<int64_t> block_words;  // n_blocks + 1
};

// Sizes of the hash tables with which every key is exact.
PackPlan plan_pack(const PlainLevel& level, int hash_bits);

struct PackedOut {
    HashWord* words;
    void* keys;
    uint8_t* counts;
    uint8_t* entries;
    float* scale;
    int64_t* block_entries;  // n_blocks + 1
};

void pack(const PlainLevel& level, const PackPlan& plan, int hash_bits, Precision precision, const PackedOut& out);

struct PlainOut {
    int32_t* features;
    int64_t* row_entries;
    uint8_t* children;
    float* values;
};

// Rows are restored in ascending order of features; int8 and bf16 weights remain rounded.
void unpack(const PackedLevel& level, const PlainOut& out);

}  // namespace ramify
