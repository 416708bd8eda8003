// Trains the classifiers of the children of one node of a tree, as many at once as the solver has lanes.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "huge_pages.hpp"
#include "node_rows.hpp"
#include "train.hpp"

namespace ramify {

struct ChildWeight {
    int32_t feature;  // node's number; private features follow the shared ones
    uint8_t child;    // within its block
    float value;
};

struct ChildRange {
    int64_t first, last;
    int64_t block_begin;  // first child of their block
};

// Working memory of one worker, reused for all its nodes.
class NodeTrainer {
public:
    NodeTrainer(const FeatureView& X, const float* dense_squares, const float* instance_weights, const TrainOptions& options, const Solvers& solvers);

    // Chooses the node whose children are trained next. `gathered` has its rows; if null, the trainer gathers them.
    // A node is recognised by the address of its level, so levels must not be moved.
    void enter(const LevelTask& level, int32_t parent, const NodeGatherer* gathered);

    // Trains children of one block of the node. Their weights are valid until the next call.
    const std::vector<ChildWeight>& train(const LevelTask& level, int64_t level_number, const ChildRange& children, Monitor& monitor);

    // Groups the weights of a block, in one or more parts, by feature, features ascending.
    void write(std::span<const std::vector<ChildWeight>> parts, BlockWeights& out);

private:
    void make_room_for_weights(size_t n_children);
    void set_targets(const LevelTask& level, int64_t child);
    bool alike_within_lanes(const LevelTask& level, int64_t child) const;
    void set_eligible(uint32_t all);
    void solve(uint64_t seed, float* bias_out, Monitor& monitor);
    void write_dense(float* out) const;
    void collect(uint8_t first);
    void collect_private(uint8_t first);
    float largest_dual(int32_t row) const;
    void collect_one(const PrivateFeature& own, int32_t number, uint8_t first);
    void limit_weights(size_t begin, uint8_t first);

    const FeatureView& X_;
    const float* dense_squares_;
    const float* instance_weights_;
    const TrainOptions& options_;
    const Solvers solvers_;
    std::unique_ptr<NodeGatherer> own_;
    const LevelTask* level_ = nullptr;        // of the current node, and its number
    int32_t parent_ = -1;
    const NodeGatherer* gathered_ = nullptr;  // its rows
    Solver solver_;
    int n_lanes_ = 0, stride_ = 0;            // siblings that are solved together, and their lanes
    int relevance_stride_ = 0;                // 0: one row of relevance_ serves all
    const int32_t* instances_ = nullptr;
    const float* factor_ = nullptr;
    std::vector<int32_t> place_;  // instance -> row of the node; stale if the node does not have it, so checked
    std::vector<uint32_t> positive_, eligible_;
    std::vector<LaneRow> lane_rows_;
    std::vector<float> strength_;
    std::vector<int32_t> order_, count_;
    std::vector<float> relevance_;
    HugeVector<uint32_t> weights_;  // floats, or pairs of halves
    HugeVector<float> dual_, dense_weights_;
    std::vector<ChildWeight> found_;
    std::vector<std::pair<int32_t, int32_t>> used_;
    std::vector<int64_t> start_;
};

}  // namespace ramify
