#include "train.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "huge_pages.hpp"
#include "node_rows.hpp"

namespace ramify {
namespace {

struct Weight {
    int32_t feature;  // node's number; private features follow the shared ones
    uint8_t child;
    float value;
};

uint64_t mix(uint64_t a, uint64_t b) {  // splitmix64 of a pair: seeds depend on the place in the tree, not on threads
    uint64_t z = a * 0x9e3779b97f4a7c15ull + b + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// Working memory of one worker, reused for all its blocks.
class BlockTrainer {
public:
    BlockTrainer(const CsrView& X, const float* weights, const TrainOptions& options, const Solvers& solvers)
        : gatherer_(X, weights), options_(options), solvers_(solvers), solver_(solvers.floats), place_(size_t(X.rows), -1) {}

    void train(const LevelTask& level, int64_t level_number, int64_t block, BlockWeights& out, Monitor& monitor) {
        const int32_t parent = level.block_parent[block];
        instances_ = level.rows.indices + level.rows.begin(parent);
        factor_ = level.rows.data == nullptr ? nullptr : level.rows.data + level.rows.begin(parent);
        const int64_t n_rows = level.rows.length(parent);
        gatherer_.gather(instances_, n_rows, factor_);
        solver_ = solvers_.for_features(gatherer_.rows().n_features);
        for (int64_t row = 0; row < n_rows; ++row) place_[instances_[row]] = int32_t(row);
        monitor_ = &monitor;
        const int64_t first = level.block_begin[block], last = level.block_begin[block + 1];
        make_room_for_weights(size_t(last - first));
        for (int64_t child = first; child < last; child += solver_.lanes) {
            n_lanes_ = int(std::min<int64_t>(solver_.lanes, last - child));
            stride_ = solver_.stride(n_lanes_);
            set_targets(level, child);
            solve(mix(mix(options_.seed, uint64_t(level_number)), uint64_t(child)), level.bias + child);
            collect(uint8_t(child - first));
        }
        write(out);
    }

private:
    // Incremental growth fragments the heap; it is used only if the node is too large to reserve all weights.
    void make_room_for_weights(size_t n_children) {
        constexpr size_t kExpectAll = size_t(1) << 19;
        const size_t most = n_children * (gatherer_.features().size() + gatherer_.private_features().size());
        found_.clear();
        if (most <= kExpectAll) found_.reserve(most);
    }

    void set_targets(const LevelTask& level, int64_t child) {
        const size_t n_rows = size_t(gatherer_.rows().n_rows);
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
    bool alike_within_lanes(const LevelTask& level, int64_t child) const {
        const float* const data = level.positives.data;
        for (int64_t node = child; data != nullptr && node < child + n_lanes_; ++node) {
            const float* const first = data + level.positives.begin(node);
            const float* const last = data + level.positives.end(node);
            if (!std::all_of(first, last, [&](float factor) { return factor == *first && factor != 0.0f; })) return false;
        }
        return true;
    }

    // An instance with cost 0 is excluded: the solver divides by costs.
    void set_eligible(uint32_t all) {
        const NodeRows rows = gatherer_.rows();
        eligible_.resize(size_t(rows.n_rows));
        for (size_t row = 0; row < eligible_.size(); ++row) {
            eligible_[row] = factor_ == nullptr || factor_[row] != 0.0f ? all : positive_[row];
            if (rows.weight != nullptr && rows.weight[row] == 0.0f) eligible_[row] = 0;
            for (int lane = 0; !relevance_.empty() && relevance_stride_ != 0 && lane < n_lanes_; ++lane)
                if (relevance_[row * size_t(stride_) + size_t(lane)] == 0.0f) eligible_[row] &= ~(1u << lane);
        }
    }

    void solve(uint64_t seed, float* bias_out) {
        const NodeRows rows = gatherer_.rows();
        const size_t weight_bytes = size_t(rows.n_features) * size_t(stride_ * solver_.weight_bytes);
        make_room(weights_, (weight_bytes + 3) / 4);
        weights_.assign((weight_bytes + 3) / 4, 0);
        make_room(dual_, size_t(rows.n_rows) * size_t(stride_));
        dual_.assign(size_t(rows.n_rows) * size_t(stride_), 0.0f);
        lane_rows_.resize(size_t(rows.n_rows));
        order_.resize(size_t(rows.n_rows));
        float bias[32] = {};
        strength_.resize(size_t(rows.n_features));
        LaneState state{weights_.data(), dual_.data(), bias, lane_rows_.data(), order_.data(), strength_.data(), seed,
                        [](void* monitor) { return static_cast<Monitor*>(monitor)->keep_going(-1.0); }, monitor_};
        const LaneTargets targets{stride_, low_bits(n_lanes_), positive_.data(), eligible_.data(),
                                  relevance_.empty() ? nullptr : relevance_.data(), relevance_stride_};
        solver_.solve(rows, targets, options_.solver, state);
        if (!monitor_->keep_going(-1.0)) throw Interrupted();
        std::copy(bias, bias + n_lanes_, bias_out);
    }

    // Keeps the weights that pass the pruning; lane 0 is the child `first`.
    void collect(uint8_t first) {
        const size_t begin = found_.size();
        constexpr int32_t kAtOnce = 64;
        LaneWeight picked[kAtOnce * 32];
        const auto n_shared = int32_t(gatherer_.features().size());
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
    void collect_private(uint8_t first) {
        auto number = int32_t(gatherer_.features().size());
        int32_t row = -1;
        float largest = 0.0f;
        for (const PrivateFeature& own : gatherer_.private_features()) {
            if (own.row != row) {
                row = own.row;
                largest = largest_dual(row);
            }
            if (largest * std::fabs(own.value) >= options_.threshold) collect_one(own, number, first);
            ++number;
        }
    }

    float largest_dual(int32_t row) const {
        const float* const dual = dual_.data() + size_t(row) * size_t(stride_);
        float largest = 0.0f;
        for (int lane = 0; lane < n_lanes_; ++lane) largest = dual[lane] > largest ? dual[lane] : largest;
        return largest;
    }

    void collect_one(const PrivateFeature& own, int32_t number, uint8_t first) {
        const float* const dual = dual_.data() + size_t(own.row) * size_t(stride_);
        for (int lane = 0; lane < n_lanes_; ++lane) {
            const float sign = (positive_[size_t(own.row)] >> lane & 1) != 0 ? 1.0f : -1.0f;
            const float value = sign * dual[lane] * own.value;
            if (value != 0.0f && std::fabs(value) >= options_.threshold) found_.push_back({number, uint8_t(first + lane), value});
        }
    }

    // Each child keeps its largest weights from `begin` on.
    void limit_weights(size_t begin, uint8_t first) {
        std::vector<std::vector<Weight>> lanes(static_cast<size_t>(n_lanes_));
        for (size_t i = begin; i < found_.size(); ++i) lanes[size_t(found_[i].child - first)].push_back(found_[i]);
        found_.resize(begin);
        const auto limit = size_t(options_.max_weights);
        for (std::vector<Weight>& lane : lanes) {
            if (lane.size() > limit) {
                std::nth_element(lane.begin(), lane.begin() + int64_t(limit), lane.end(), [](const Weight& a, const Weight& b) {
                    const float x = std::fabs(a.value), y = std::fabs(b.value);
                    return x != y ? x > y : a.feature < b.feature;
                });
                lane.resize(limit);
            }
            found_.insert(found_.end(), lane.begin(), lane.end());
        }
    }

    // Groups the block's weights by feature, features ascending: a counting sort keeps the children in order.
    void write(BlockWeights& out) {
        const auto& shared = gatherer_.features();
        const auto& own = gatherer_.private_features();
        count_.assign(shared.size() + own.size(), 0);
        for (const Weight& weight : found_) ++count_[size_t(weight.feature)];
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
        for (const Weight& weight : found_) {
            const auto at = size_t(start_[size_t(weight.feature)]++);
            out.children[at] = weight.child;
            out.values[at] = weight.value;
        }
    }

    NodeGatherer gatherer_;
    const TrainOptions& options_;
    const Solvers solvers_;
    Solver solver_;  // of the current node
    int n_lanes_ = 0, stride_ = 0;  // siblings that are solved together, and their lanes
    int relevance_stride_ = 0;      // 0: one row of relevance_ serves all
    const int32_t* instances_ = nullptr;
    const float* factor_ = nullptr;
    Monitor* monitor_ = nullptr;
    std::vector<int32_t> place_;  // instance -> row of the node; stale if the node does not have it, so checked
    std::vector<uint32_t> positive_, eligible_;
    std::vector<LaneRow> lane_rows_;
    std::vector<float> strength_;
    std::vector<int32_t> order_, count_;
    std::vector<float> relevance_;
    HugeVector<uint32_t> weights_;  // floats, or pairs of halves
    HugeVector<float> dual_;
    std::vector<Weight> found_;
    std::vector<std::pair<int32_t, int32_t>> used_;
    std::vector<int64_t> start_;
};

struct BlockTask {
    size_t level;
    int64_t block;
    double cost;
};

std::vector<BlockTask> largest_first(const CsrView& X, const std::vector<LevelTask>& levels, int lanes) {
    std::vector<BlockTask> tasks;
    for (size_t level = 0; level < levels.size(); ++level)
        for (int64_t block = 0; block < levels[level].n_blocks; ++block) {
            const CsrView& rows = levels[level].rows;
            const int32_t parent = levels[level].block_parent[block];
            double nnz = 0;
            for (int64_t at = rows.begin(parent); at < rows.end(parent); ++at)
                nnz += double(X.length(rows.indices[at])) + 1.0;
            const int64_t children = levels[level].block_begin[block + 1] - levels[level].block_begin[block];
            tasks.push_back({level, block, nnz * double(1 + (children + lanes - 1) / lanes)});
        }
    std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return a.cost > b.cost; });
    return tasks;
}

// Monitor of the calling thread: reports total progress and propagates cancellation to all workers.
class WorkMonitor : public Monitor {
public:
    WorkMonitor(Monitor* inner, double total) : inner_(inner), total_(total) {}

    bool keep_going(double) override {
        try {
            if (inner_ != nullptr && !inner_->keep_going(done_.load() / total_)) stopped_ = true;
        } catch (...) {
            stopped_ = true;
            throw;
        }
        return !stopped_;
    }

    void add(double cost) {
        double before = done_.load();
        while (!done_.compare_exchange_weak(before, before + cost)) {}
    }

    bool stopped() const { return stopped_; }

private:
    Monitor* inner_;
    double total_;
    std::atomic<double> done_{0.0};
    std::atomic<bool> stopped_{false};
};

// Monitor of the other threads: whether the calling thread was cancelled.
class Follower : public Monitor {
public:
    explicit Follower(const WorkMonitor& leader) : leader_(leader) {}
    bool keep_going(double) override { return !leader_.stopped(); }

private:
    const WorkMonitor& leader_;
};

}  // namespace

bool halves_suffice(const CsrView& X, const SolverOptions& options) {
    constexpr float kLargestFeature = 100.0f, kSmallestCost = 0.01f, kLargestSquare = 1e9f;
    const float largest = std::max(options.cost_positive, options.cost_negative);
    const float smallest = std::min(options.cost_positive, options.cost_negative);
    if (options.epsilon < kLooseTolerance || smallest < kSmallestCost || float(X.rows) * largest > kLargestSquare) return false;
    return std::all_of(X.data, X.data + X.nnz(), [](float value) { return std::fabs(value) <= kLargestFeature; });
}

std::vector<std::vector<BlockWeights>> train_levels(const CsrView& X, const float* instance_weights,
                                                    const std::vector<LevelTask>& levels, const TrainOptions& options,
                                                    const Solvers& solvers, Monitor* monitor) {
    std::vector<std::vector<BlockWeights>> result;
    for (const LevelTask& level : levels) result.emplace_back(size_t(level.n_blocks));
    const std::vector<BlockTask> tasks = largest_first(X, levels, solvers.floats.lanes);
    const double total = std::accumulate(tasks.begin(), tasks.end(), 1e-9, [](double sum, const auto& t) { return sum + t.cost; });
    WorkMonitor progress(monitor, total);
    Follower follower(progress);
    std::vector<std::unique_ptr<BlockTrainer>> trainers(static_cast<size_t>(options.threads));
    parallel_for(
        int64_t(tasks.size()), options.threads,
        [&](int64_t number, int worker) {
            auto& trainer = trainers[size_t(worker)];
            if (trainer == nullptr) trainer = std::make_unique<BlockTrainer>(X, instance_weights, options, solvers);
            const BlockTask& task = tasks[size_t(number)];
            trainer->train(levels[task.level], int64_t(task.level), task.block,
                           result[task.level][size_t(task.block)],
                           worker == 0 ? static_cast<Monitor&>(progress) : follower);
            progress.add(task.cost);
        },
        &progress);
    return result;
}

}  // namespace ramify
