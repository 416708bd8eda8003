#include "neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ramify {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kLeast = std::numeric_limits<float>::denorm_min();  // only similarities above 0 are used
constexpr int64_t kStep = 64;                                       // similarities processed together
constexpr int64_t kBlock = 8;                                       // queries per task

struct Neighbour {
    float similarity;
    int32_t instance;
};

inline bool nearer(const Neighbour& a, const Neighbour& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.instance < b.instance;
}

struct Vote {
    int32_t label;
    int32_t rank;  // of the neighbour
    double weight;
};

inline bool by_label(const Vote& a, const Vote& b) { return a.label != b.label ? a.label < b.label : a.rank < b.rank; }

struct Scored {
    float score;
    int32_t label;
};

inline bool better(const Scored& a, const Scored& b) { return a.score != b.score ? a.score > b.score : a.label < b.label; }

// Keeps the nearest few of a stream: collects to twice the limit, then cuts back.
class Nearest {
public:
    void start(size_t limit) {
        limit_ = limit;
        floor_ = kLeast;
        kept_.clear();
    }

    float floor() const { return floor_; }

    void offer(float similarity, int32_t instance) {
        if (similarity < floor_) return;
        kept_.push_back({similarity, instance});
        if (kept_.size() >= 2 * limit_ + 16) cut();
    }

    const std::vector<Neighbour>& sorted() {
        if (kept_.size() > limit_) cut();
        std::sort(kept_.begin(), kept_.end(), nearer);
        return kept_;
    }

private:
    void cut() {
        std::nth_element(kept_.begin(), kept_.begin() + int64_t(limit_) - 1, kept_.end(), nearer);
        kept_.resize(limit_);
        floor_ = kept_.back().similarity;
    }

    size_t limit_ = 1;
    float floor_ = kLeast;
    std::vector<Neighbour> kept_;
};

inline bool any_reaches(const float* values, float floor) {
    int found = 0;
    for (int64_t i = 0; i < kStep; ++i) found |= values[i] >= floor;
    return found != 0;
}

}  // namespace

class NeighbourWorker {
public:
    explicit NeighbourWorker(const NeighbourModel& model)
        : model_(model), sums_(size_t((model.instances() + kStep - 1) / kStep * kStep), 0.0f) {}

    void run(const CsrView& X, int64_t row, const NeighbourOptions& options, const LabelFilter& filter, int32_t* labels,
             float* scores) {
        nearest_.start(size_t(std::min<int64_t>(options.neighbours, model_.instances())));
        gather(X, row);
        vote(nearest_.sorted(), options.power);
        answer(row, options.k, filter, labels, scores);
    }

private:
    // Similarities to all training instances that share a feature, the best of them into nearest_; sums_ is 0 again.
    void gather(const CsrView& X, int64_t row) {
        double square = 0.0;
        int64_t postings = 0;
        for (int64_t at = X.begin(row); at < X.end(row); ++at) {
            square += double(X.data[at]) * X.data[at];
            postings += model_.columns.length(X.indices[at]);
        }
        if (square == 0.0) return;
        const double scale = 1.0 / std::sqrt(square);
        // A list for few instances; for many a scan of all is faster.
        const bool few = postings < model_.instances() / 8;
        touched_.clear();
        for (int64_t at = X.begin(row); at < X.end(row); ++at) {
            const float value = float(X.data[at] * scale);
            few ? add_listed(X.indices[at], value) : add(X.indices[at], value);
        }
        few ? take_listed() : take_all();
    }

    void add(int32_t feature, float value) {
        const CsrView& columns = model_.columns;
        for (int64_t at = columns.begin(feature); at < columns.end(feature); ++at)
            sums_[size_t(columns.indices[at])] += value * columns.data[at];
    }

    // A sum that came back to 0 is listed again: the second time take_listed finds nothing.
    void add_listed(int32_t feature, float value) {
        const CsrView& columns = model_.columns;
        for (int64_t at = columns.begin(feature); at < columns.end(feature); ++at) {
            float& sum = sums_[size_t(columns.indices[at])];
            if (sum == 0.0f) touched_.push_back(columns.indices[at]);
            sum += value * columns.data[at];
        }
    }

    void take_listed() {
        for (const int32_t instance : touched_) {
            float& sum = sums_[size_t(instance)];
            nearest_.offer(sum, instance);
            sum = 0.0f;
        }
    }

    void take_all() {
        for (size_t first = 0; first < sums_.size(); first += kStep) {
            const float* const values = sums_.data() + first;
            if (!any_reaches(values, nearest_.floor())) continue;
            for (size_t i = 0; i < size_t(kStep); ++i) nearest_.offer(values[i], int32_t(first + i));
        }
        std::fill(sums_.begin(), sums_.end(), 0.0f);
    }

    // Weights are relative to the best neighbour's, so that no power makes all of them 0.
    void vote(const std::vector<Neighbour>& neighbours, double power) {
        votes_.clear();
        total_ = 0.0;
        for (size_t rank = 0; rank < neighbours.size(); ++rank) {
            const int32_t instance = neighbours[rank].instance;
            const double weight = std::pow(double(neighbours[rank].similarity) / neighbours[0].similarity, power);
            total_ += weight;
            for (int64_t at = model_.labels.begin(instance); at < model_.labels.end(instance); ++at)
                votes_.push_back({model_.labels.indices[at], int32_t(rank), weight});
        }
        std::sort(votes_.begin(), votes_.end(), by_label);
    }

    // Sums run in the order of the neighbours, as the total does: no score exceeds 1, whatever the rounding.
    void answer(int64_t row, int k, const LabelFilter& filter, int32_t* labels, float* scores) {
        scored_.clear();
        for (size_t at = 0; at < votes_.size();) {
            const int32_t label = votes_[at].label;
            double sum = 0.0;
            for (; at < votes_.size() && votes_[at].label == label; ++at) sum += votes_[at].weight;
            if (may(row, label, filter)) scored_.push_back({float(sum / total_), label});
        }
        const auto found = std::min<int64_t>(int64_t(scored_.size()), k);
        std::partial_sort(scored_.begin(), scored_.begin() + found, scored_.end(), better);
        for (int64_t i = 0; i < found; ++i) {
            labels[i] = scored_[size_t(i)].label;
            scores[i] = scored_[size_t(i)].score;
        }
        std::fill(labels + found, labels + k, -1);
        std::fill(scores + found, scores + k, kNever);
    }

    static bool may(int64_t row, int32_t label, const LabelFilter& filter) {
        if (filter.mask != nullptr && filter.mask[label] == 0) return false;
        if (filter.indptr == nullptr) return true;
        const int32_t* const first = filter.labels + filter.indptr[row];
        return std::binary_search(first, filter.labels + filter.indptr[row + 1], label) == filter.only;
    }

    NeighbourModel model_;
    std::vector<float> sums_;
    std::vector<int32_t> touched_;
    Nearest nearest_;
    std::vector<Vote> votes_;
    std::vector<Scored> scored_;
    double total_ = 0.0;
};

NeighbourPool::NeighbourPool() = default;
NeighbourPool::~NeighbourPool() = default;

std::unique_ptr<NeighbourWorker> NeighbourPool::take(const NeighbourModel& model) {
    {
        const std::lock_guard<std::mutex> lock(guard_);
        if (!idle_.empty()) {
            auto worker = std::move(idle_.back());
            idle_.pop_back();
            return worker;
        }
    }
    return std::make_unique<NeighbourWorker>(model);
}

void NeighbourPool::give(std::unique_ptr<NeighbourWorker> worker) {
    const std::lock_guard<std::mutex> lock(guard_);
    idle_.push_back(std::move(worker));
}

void nearest_labels(const NeighbourModel& model, NeighbourPool& pool, const CsrView& X, const NeighbourOptions& options,
                    const LabelFilter& filter, int32_t* labels, float* scores, Monitor* monitor) {
    const int64_t tasks = (X.rows + kBlock - 1) / kBlock;
    std::vector<std::unique_ptr<NeighbourWorker>> workers(size_t(std::clamp<int64_t>(tasks, 1, options.threads)));
    parallel_for(
        tasks, options.threads,
        [&](int64_t task, int number) {
            auto& worker = workers[size_t(number)];
            if (worker == nullptr) worker = pool.take(model);
            for (int64_t row = task * kBlock; row < std::min((task + 1) * kBlock, X.rows); ++row)
                worker->run(X, row, options, filter, labels + row * options.k, scores + row * options.k);
        },
        monitor);
    // Only here: after an exception the workspace is not all 0, and it is discarded.
    for (auto& worker : workers)
        if (worker != nullptr) pool.give(std::move(worker));
}

}  // namespace ramify
