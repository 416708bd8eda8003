#include "train.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>

#include "node_trainer.hpp"

namespace ramify {
namespace {

// Rows of a node whose children are trained by several tasks, on one or several workers. The first task gathers them, the
// last one frees them.
class SharedRows {
public:
    explicit SharedRows(int64_t tasks) : left_(tasks) {}

    // `fresh` is a gatherer of the training.
    template <class Fresh>
    const NodeGatherer& gathered(Fresh&& fresh, const CsrView& rows, int32_t parent) {
        std::call_once(once_, [&] {
            rows_ = fresh();
            const float* const factors = rows.data == nullptr ? nullptr : rows.data + rows.begin(parent);
            rows_->gather(rows.indices + rows.begin(parent), rows.length(parent), factors);
            rows_->finish();
        });
        return *rows_;
    }

    void leave() {
        if (left_.fetch_sub(1) == 1) rows_.reset();
    }

private:
    std::once_flag once_;
    std::unique_ptr<NodeGatherer> rows_;
    std::atomic<int64_t> left_;
};

// Weights of the tasks of one block.
struct BlockParts {
    explicit BlockParts(int64_t tasks) : found(size_t(tasks)), left(tasks) {}

    std::vector<std::vector<ChildWeight>> found;
    std::atomic<int64_t> left;
};

// Trains children of one block: all of them, or one part if the node is shared.
struct Task {
    size_t level;
    int64_t block;
    ChildRange children;
    double cost;
    std::shared_ptr<SharedRows> rows = nullptr;
    std::shared_ptr<BlockParts> parts = nullptr;
    size_t part = 0;
};

struct NodeCost {
    size_t level;
    int64_t first_block, last_block;
    double cost;
};

class Plan {
public:
    Plan(const FeatureView& X, const std::vector<LevelTask>& levels, const Solvers& solvers, const TrainOptions& options)
        : levels_(levels), lanes_(std::max(solvers.floats.lanes, solvers.halves.lanes)) {
        std::vector<NodeCost> nodes = costs(X, solvers.floats.lanes);
        // The largest first: a worker that takes a large node last would work alone.
        std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.cost > b.cost; });
        for (const NodeCost& node : nodes) total_ += node.cost;
        const double share = total_ / (kTasksPerThread * options.threads);
        for (const NodeCost& node : nodes) add(node, options.threads > 1 && node.cost > std::max(options.least_shared, share));
    }

    const std::vector<Task>& tasks() const { return tasks_; }
    double total() const { return total_; }

private:
    static constexpr double kDensePerSparse = 4.0;  // dense values that cost as much as a sparse one
    static constexpr int kTasksPerThread = 4;  // a node is shared if its cost exceeds total / (kTasksPerThread * threads)

    std::vector<NodeCost> costs(const FeatureView& X, int lanes) const {
        std::vector<NodeCost> nodes;
        for (size_t number = 0; number < levels_.size(); ++number) {
            const LevelTask& level = levels_[number];
            for (int64_t block = 0, next = 0; block < level.n_blocks; block = next) {
                const int32_t parent = level.block_parent[block];
                while (next < level.n_blocks && level.block_parent[next] == parent) ++next;
                const double dense = double(X.n_dense) / kDensePerSparse;
                double nnz = 0;
                for (int64_t at = level.rows.begin(parent); at < level.rows.end(parent); ++at)
                    nnz += double(X.length(level.rows.indices[at])) + dense + 1.0;
                const int64_t children = level.block_begin[next] - level.block_begin[block];
                nodes.push_back({number, block, next, nnz * double(1 + (children + lanes - 1) / lanes)});
            }
        }
        return nodes;
    }

    void add(const NodeCost& node, bool large) {
        const LevelTask& level = levels_[node.level];
        const int64_t begin = level.block_begin[node.first_block], end = level.block_begin[node.first_block + 1];
        const bool one_block = node.last_block - node.first_block == 1;
        if (one_block && (!large || end - begin <= lanes_)) {
            tasks_.push_back({node.level, node.first_block, {begin, end, begin}, node.cost});
            return;
        }
        const auto parts_of = [&](int64_t block) { return (level.block_begin[block + 1] - level.block_begin[block] + lanes_ - 1) / lanes_; };
        int64_t n = 0;
        for (int64_t block = node.first_block; block < node.last_block; ++block) n += parts_of(block);
        const auto rows = std::make_shared<SharedRows>(n);
        for (int64_t block = node.first_block; block < node.last_block; ++block) {
            const auto parts = std::make_shared<BlockParts>(parts_of(block));
            const int64_t block_begin = level.block_begin[block], block_end = level.block_begin[block + 1];
            for (int64_t part = 0; part < parts_of(block); ++part) {
                const int64_t first = block_begin + part * lanes_;
                tasks_.push_back({node.level, block, {first, std::min(first + lanes_, block_end), block_begin}, node.cost / double(n), rows, parts, size_t(part)});
            }
        }
    }

    const std::vector<LevelTask>& levels_;
    const int64_t lanes_;
    std::vector<Task> tasks_;
    double total_ = 1e-9;
};

// Monitor of the calling thread: reports total progress and propagates cancellation to all workers.
class WorkMonitor : public Monitor {
public:
    WorkMonitor(Monitor* inner, double total) : inner_(inner), total_(total) {}

    bool keep_going(double) override {
        try {
            // The rounded costs of the parts of nodes may add up to more than the total.
            if (inner_ != nullptr && !inner_->keep_going(std::min(1.0, done_.load() / total_))) stopped_ = true;
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

// Keeps the weights of a part; with the last part, writes the block.
void finish_part(const Task& task, const std::vector<ChildWeight>& found, NodeTrainer& trainer, BlockWeights& out) {
    BlockParts& parts = *task.parts;
    parts.found[task.part] = found;  // a copy has no spare capacity
    if (parts.left.fetch_sub(1) == 1) {
        trainer.write(parts.found, out);
        parts.found.clear();
    }
    task.rows->leave();
}

// Squared lengths of the scaled dense rows; empty without a dense block.
std::vector<float> dense_squares(const FeatureView& X) {
    std::vector<float> squares(X.n_dense == 0 ? 0 : size_t(X.rows), 0.0f);
    for (size_t row = 0; row < squares.size(); ++row) {
        const float* const values = X.dense_row(int64_t(row));
        double square = 0.0;
        for (int64_t column = 0; column < X.n_dense; ++column) square += double(values[column]) * values[column];
        squares[row] = float(square) * X.scale_of(int64_t(row)) * X.scale_of(int64_t(row));
    }
    return squares;
}

}  // namespace

bool halves_suffice(const FeatureView& X, const SolverOptions& options) {
    constexpr float kLargestFeature = 100.0f, kSmallestCost = 0.01f, kLargestSquare = 1e9f;
    const float largest = std::max(options.cost_positive, options.cost_negative);
    const float smallest = std::min(options.cost_positive, options.cost_negative);
    if (options.epsilon < kLooseTolerance || smallest < kSmallestCost || float(X.rows) * largest > kLargestSquare) return false;
    return std::all_of(X.data, X.data + X.nnz(), [](float value) { return std::fabs(value) <= kLargestFeature; });
}

std::vector<std::vector<BlockWeights>> train_levels(const FeatureView& X, const float* instance_weights,
                                                    const std::vector<LevelTask>& levels, const TrainOptions& options,
                                                    const Solvers& solvers, Monitor* monitor) {
    std::vector<std::vector<BlockWeights>> result;
    for (const LevelTask& level : levels) result.emplace_back(size_t(level.n_blocks));
    const std::vector<float> squares = dense_squares(X);
    const Plan plan(X, levels, solvers, options);
    WorkMonitor progress(monitor, plan.total());
    Follower follower(progress);
    std::vector<std::unique_ptr<NodeTrainer>> trainers(static_cast<size_t>(options.threads));
    parallel_for(
        int64_t(plan.tasks().size()), options.threads,
        [&](int64_t number, int worker) {
            auto& trainer = trainers[size_t(worker)];
            if (trainer == nullptr) trainer = std::make_unique<NodeTrainer>(X, squares.data(), instance_weights, options, solvers);
            const Task& task = plan.tasks()[size_t(number)];
            const LevelTask& level = levels[task.level];
            const int32_t parent = level.block_parent[task.block];
            BlockWeights& out = result[task.level][size_t(task.block)];
            const auto fresh = [&] { return std::make_unique<NodeGatherer>(X, squares.data(), instance_weights, &options.folder); };
            trainer->enter(level, parent, task.rows == nullptr ? nullptr : &task.rows->gathered(fresh, level.rows, parent));
            const auto& found = trainer->train(level, int64_t(task.level), task.children, worker == 0 ? static_cast<Monitor&>(progress) : follower);
            if (task.rows == nullptr)
                trainer->write({&found, 1}, out);
            else
                finish_part(task, found, *trainer, out);
            progress.add(task.cost);
        },
        &progress);
    return result;
}

}  // namespace ramify
