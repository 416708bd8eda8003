#include "node_trainer.hpp"

#include <algorithm>
#include <cmath>

namespace ramify {
namespace {

uint64_t mix(uint64_t a, uint64_t b) {  // splitmix64 of a pair: seeds depend on the place in the tree, not on threads
    uint64_t z = a * 0x9e3779b97f4a7c15ull + b + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

}  // namespace

NodeTrainer::NodeTrainer(const FeatureView& X, const float* dense_squares, const float* instance_weights, const TrainOptions& options, const Solvers& solvers)
    : X_(X), dense_squares_(dense_squares), instance_weights_(instance_weights), options_(options), solvers_(solvers), solver_(solvers.floats), place_(size_t(X.rows), -1) {}

void NodeTrainer::enter(const LevelTask& level, int32_t parent, const NodeGatherer* gathered) {
    if (gathered != nullptr && level_ == &level && parent_ == parent) return;
    level_ = &level;
    parent_ = parent;
    instances_ = level.rows.indices + level.rows.begin(parent);
    factor_ = level.rows.data == nullptr ? nullptr : level.rows.data + level.rows.begin(parent);
    const int64_t n_rows = level.rows.length(parent);
    if (gathered == nullptr) {
        if (own_ == nullptr) own_ = std::make_unique<NodeGatherer>(X_, dense_squares_, instance_weights_, &options_.folder);
        own_->gather(instances_, n_rows, factor_);
        gathered = own_.get();
    }
    gathered_ = gathered;
    solver_ = solvers_.for_features(gathered_->rows().n_features);
    for (int64_t row = 0; row < n_rows; ++row) place_[instances_[row]] = int32_t(row);
}

const std::vector<ChildWeight>& NodeTrainer::train(const LevelTask& level, int64_t level_number, const ChildRange& children, Monitor& monitor) {
    make_room_for_weights(size_t(children.last - children.first));
    for (int64_t child = children.first; child < children.last; child += solver_.lanes) {
        n_lanes_ = int(std::min<int64_t>(solver_.lanes, children.last - child));
        stride_ = solver_.stride(n_lanes_);
        set_targets(level, child);
        const int64_t number = level.number < 0 ? level_number : level.number;
        solve(mix(mix(options_.seed, uint64_t(number)), uint64_t(level.first_child + child)), level.bias + child, monitor);
        if (X_.n_dense != 0) write_dense(level.dense + child * X_.n_dense);
        collect(uint8_t(child - children.block_begin));
    }
    return found_;
}

// Incremental growth fragments the heap; it is used only if the node is too large to reserve all weights.
void NodeTrainer::make_room_for_weights(size_t n_children) {
    constexpr size_t kExpectAll = size_t(1) << 19;
    const size_t most = n_children * (gathered_->features().size() + gathered_->private_features().size());
    found_.clear();
    if (most <= kExpectAll) found_.reserve(most);
}

void NodeTrainer::set_targets(const LevelTask& level, int64_t child) {
    const size_t n_rows = size_t(gathered_->rows().n_rows);
    positive_.assign(n_rows, 0);
    const bool alike = alike_within_lanes(level, child);
    relevance_stride_ = alike ? 0 : stride_;
    relevance_.assign(level.positives.data == nullptr ? 0 : (alike ? 1 : n_rows) * size_t(stride_), 1.0f);
    for (int lane = 0; lane < n_lanes_; ++lane)
        for (int64_t at = level.positives.begin(child + lane); at < level.positives.end(child + lane); ++at) {
            const int32_t instance = level.positives.indices[at];
            const int32_t row = place_[size_t(instance)];
            if (row < 0 || size_t(row) >= n_rows || instances_[row] != instance)
                throw std::invalid_argument("a positive instance is missing among the rows of its parent");
            positive_[size_t(row)] |= 1u << lane;
            if (!relevance_.empty()) relevance_[size_t(row) * size_t(relevance_stride_) + size_t(lane)] = level.positives.data[at];
        }
    set_eligible(low_bits(n_lanes_));
}

// Whether all positives of each child have the same weight, for example with costs by rarity; rows then need no factor.
bool NodeTrainer::alike_within_lanes(const LevelTask& level, int64_t child) const {
    const float* const data = level.positives.data;
    for (int64_t node = child; data != nullptr && node < child + n_lanes_; ++node) {
        const float* const first = data + level.positives.begin(node);
        const float* const last = data + level.positives.end(node);
        if (!std::all_of(first, last, [&](float factor) { return factor == *first && factor != 0.0f; })) return false;
    }
    return true;
}

// An instance with cost 0 is excluded: the solver divides by costs.
void NodeTrainer::set_eligible(uint32_t all) {
    const NodeRows rows = gathered_->rows();
    eligible_.resize(size_t(rows.n_rows));
    for (size_t row = 0; row < eligible_.size(); ++row) {
        eligible_[row] = factor_ == nullptr || factor_[row] != 0.0f ? all : positive_[row];
        if (rows.weight != nullptr && rows.weight[row] == 0.0f) eligible_[row] = 0;
        for (int lane = 0; !relevance_.empty() && relevance_stride_ != 0 && lane < n_lanes_; ++lane)
            if (relevance_[row * size_t(stride_) + size_t(lane)] == 0.0f) eligible_[row] &= ~(1u << lane);
    }
}

void NodeTrainer::solve(uint64_t seed, float* bias_out, Monitor& monitor) {
    const NodeRows rows = gathered_->rows();
    const size_t weight_bytes = size_t(rows.n_features) * size_t(stride_ * solver_.weight_bytes);
    make_room(weights_, (weight_bytes + 3) / 4);
    weights_.assign((weight_bytes + 3) / 4, 0);
    make_room(dual_, size_t(rows.n_rows) * size_t(stride_));
    dual_.assign(size_t(rows.n_rows) * size_t(stride_), 0.0f);
    dense_weights_.assign(size_t(X_.n_dense * stride_), 0.0f);
    lane_rows_.resize(size_t(rows.n_rows));
    order_.resize(size_t(rows.n_rows));
    float bias[32] = {};
    strength_.resize(size_t(rows.n_features));
    LaneState state{weights_.data(), dual_.data(), bias, lane_rows_.data(), order_.data(), strength_.data(), dense_weights_.data(), seed,
                    [](void* monitor) { return static_cast<Monitor*>(monitor)->keep_going(-1.0); }, &monitor};
    const LaneTargets targets{stride_, low_bits(n_lanes_), positive_.data(), eligible_.data(),
                              relevance_.empty() ? nullptr : relevance_.data(), relevance_stride_};
    solver_.solve(rows, targets, options_.solver, state);
    if (!monitor.keep_going(-1.0)) throw Interrupted();
    std::copy(bias, bias + n_lanes_, bias_out);
}

// The dense weights of all lanes, one row per lane; they are not pruned.
void NodeTrainer::write_dense(float* out) const {
    for (int lane = 0; lane < n_lanes_; ++lane)
        for (int64_t column = 0; column < X_.n_dense; ++column) *out++ = dense_weights_[size_t(column * stride_ + lane)];
}

// Keeps the weights that pass the pruning; lane 0 is the child `first`.
void NodeTrainer::collect(uint8_t first) {
    const size_t begin = found_.size();
    constexpr int32_t kAtOnce = 64;
    LaneWeight picked[kAtOnce * 32];
    const auto n_shared = int32_t(gathered_->features().size());
    for (int32_t feature = 0; feature < n_shared; feature += kAtOnce) {
        const WeightRange range{weights_.data(), stride_, low_bits(n_lanes_), feature,
                                std::min(feature + kAtOnce, n_shared), options_.threshold};
        const int64_t n = solver_.pick(range, picked);
        for (int64_t i = 0; i < n; ++i)
            found_.push_back({picked[i].feature, uint8_t(first + picked[i].lane), picked[i].value});
    }
    collect_private(first);
    if (options_.max_weights != 0) limit_weights(begin, first);
}

// A row's private features follow each other: if its largest dual variable is too small, that of every child is.
void NodeTrainer::collect_private(uint8_t first) {
    auto number = int32_t(gathered_->features().size());
    int32_t row = -1;
    float largest = 0.0f;
    for (const PrivateFeature& own : gathered_->private_features()) {
        if (own.row != row) {
            row = own.row;
            largest = largest_dual(row);
        }
        if (largest * std::fabs(own.value) >= options_.threshold) collect_one(own, number, first);
        ++number;
    }
}

float NodeTrainer::largest_dual(int32_t row) const {
    const float* const dual = dual_.data() + size_t(row) * size_t(stride_);
    float largest = 0.0f;
    for (int lane = 0; lane < n_lanes_; ++lane) largest = dual[lane] > largest ? dual[lane] : largest;
    return largest;
}

void NodeTrainer::collect_one(const PrivateFeature& own, int32_t number, uint8_t first) {
    const float* const dual = dual_.data() + size_t(own.row) * size_t(stride_);
    for (int lane = 0; lane < n_lanes_; ++lane) {
        const float sign = (positive_[size_t(own.row)] >> lane & 1) != 0 ? 1.0f : -1.0f;
        const float value = sign * dual[lane] * own.value;
        if (value != 0.0f && std::fabs(value) >= options_.threshold) found_.push_back({number, uint8_t(first + lane), value});
    }
}

// Each child keeps its largest weights from `begin` on.
void NodeTrainer::limit_weights(size_t begin, uint8_t first) {
    std::vector<std::vector<ChildWeight>> lanes(static_cast<size_t>(n_lanes_));
    for (size_t i = begin; i < found_.size(); ++i) lanes[size_t(found_[i].child - first)].push_back(found_[i]);
    found_.resize(begin);
    const auto limit = size_t(options_.max_weights);
    for (std::vector<ChildWeight>& lane : lanes) {
        if (lane.size() > limit) {
            std::nth_element(lane.begin(), lane.begin() + int64_t(limit), lane.end(), [](const ChildWeight& a, const ChildWeight& b) {
                const float x = std::fabs(a.value), y = std::fabs(b.value);
                return x != y ? x > y : a.feature < b.feature;
            });
            lane.resize(limit);
        }
        found_.insert(found_.end(), lane.begin(), lane.end());
    }
}

// A counting sort keeps the children in order.
void NodeTrainer::write(std::span<const std::vector<ChildWeight>> parts, BlockWeights& out) {
    const auto& shared = gathered_->features();
    const auto& own = gathered_->private_features();
    count_.assign(shared.size() + own.size(), 0);
    for (const auto& part : parts)
        for (const ChildWeight& weight : part) ++count_[size_t(weight.feature)];
    used_.clear();
    for (size_t feature = 0; feature < count_.size(); ++feature)
        if (count_[feature] != 0) {
            const int32_t column =
                feature < shared.size() ? shared[feature] : own[feature - shared.size()].feature;
            used_.push_back({column, int32_t(feature)});
        }
    std::sort(used_.begin(), used_.end());
    start_.resize(count_.size());
    int64_t total = 0;
    out.features.reserve(used_.size());
    out.counts.reserve(used_.size());
    for (const auto& [column, feature] : used_) {
        out.features.push_back(column);
        out.counts.push_back(count_[size_t(feature)]);
        start_[size_t(feature)] = total;
        total += count_[size_t(feature)];
    }
    out.children.resize(size_t(total));
    out.values.resize(size_t(total));
    for (const auto& part : parts)
        for (const ChildWeight& weight : part) {
            const auto at = size_t(start_[size_t(weight.feature)]++);
            out.children[at] = weight.child;
            out.values[at] = weight.value;
        }
}

}  // namespace ramify
