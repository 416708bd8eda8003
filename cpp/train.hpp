// Trains the linear classifiers of whole levels of a label tree: every block of siblings is a separate task.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "csr.hpp"
#include "parallel.hpp"
#include "solver.hpp"

namespace ramify {

constexpr int kMaxBlockChildren = 256;  // the number of a child within its block fits into a byte

// The classifiers of one level. Block b holds the children [block_begin[b], block_begin[b + 1]) of one parent.
struct LevelTask {
    int64_t n_blocks = 0;
    const int64_t* block_begin = nullptr;   // n_blocks + 1
    const int32_t* block_parent = nullptr;  // n_blocks
    CsrView rows;       // parent -> its instances; data: factor of its cost, 0: only children that it is a positive of train on it
    CsrView positives;  // child -> its positive instances, all among its parent's rows; data: relevance, or null
    float* bias = nullptr;   // out, one per child
    float* dense = nullptr;  // out, children x n_dense: weights of the dense block
    // Place of the level and of its first child in the whole tree, for the seeds. -1: the level's place in the vector.
    int64_t number = -1, first_child = 0;
};

struct TrainOptions {
    SolverOptions solver;
    float threshold = 0.1f;    // smaller absolute weights are dropped
    int64_t max_weights = 0;   // per child, the largest are kept; 0: no limit
    uint64_t seed = 0;
    int threads = 1;
    // 1: large weights are kept in half precision during training; 0: never; -1: as halves_suffice for the given X.
    int halves = -1;
    // Stored values times solves of the smallest node that several threads share. A smaller one takes less than 0.1 s, and
    // one thread needs less memory.
    double least_shared = 1e7;
    // Folder for files that hold the values of the rows of large nodes (see spill.hpp); empty: they are in memory.
    std::string folder;
};

// Whether half precision is exact enough for the weights during training: not for small tolerances, nor if features
// or costs are so large or small that weights could leave the range of a half (|w| <= sqrt(2 n C)).
bool halves_suffice(const FeatureView& X, const SolverOptions& options);

// Weights of one block, by feature: features[i] has counts[i] entries.
struct BlockWeights {
    std::vector<int32_t> features;  // ascending columns of X
    std::vector<int32_t> counts;
    std::vector<uint8_t> children;  // ascending within a feature
    std::vector<float> values;
};

// Per level, per block. Same result for any number of threads.
std::vector<std::vector<BlockWeights>> train_levels(const FeatureView& X, const float* instance_weights,
                                                    const std::vector<LevelTask>& levels, const TrainOptions& options,
                                                    const Solvers& solvers, Monitor* monitor);

}  // namespace ramify
