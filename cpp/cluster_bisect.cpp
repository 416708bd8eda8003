#include "cluster_bisect.hpp"

#include <algorithm>
#include <cmath>

#include "cluster_choose.hpp"
#include "cluster_random.hpp"
#include "cluster_sketch.hpp"

namespace ramify {
namespace {

constexpr int64_t kParallelCost = 400000;  // below, starting threads costs more than it saves

// The two clusters of one cut: the sum of all rows, of the left side, and the direction between the centroids.
class TwoMeans {
public:
    TwoMeans(const Patch& patch, int64_t left_size, const BisectOptions& options, int threads, Monitor* monitor)
        : patch_(patch), left_size_(left_size), options_(options), threads_(patch.cost() < kParallelCost ? 1 : threads), monitor_(monitor),
          total_(size_t(patch.width()), 0.0f), left_(size_t(patch.width()), 0.0f),
          direction_(size_t(patch.width()), 0.0f), projections_(size_t(patch.size())) {}

    // From two random labels.
    std::vector<int32_t> run(uint64_t seed) {
        std::vector<int32_t> sides(size_t(patch_.size()), 1);
        first_direction(seed);
        project_all();
        add_first_pair();
        chooser_.choose(projections_, left_size_, sides);
        return refine(std::move(sides), options_.iterations - 1);
    }

    // From sides of the right sizes, by at most so many assignments.
    std::vector<int32_t> refine(std::vector<int32_t> sides, int assignments) {
        const double few = options_.tolerance * double(patch_.size());
        std::vector<int32_t> before(sides.size(), 1);
        for (int done = 0; done < assignments; ++done) {
            update_sums(done == 0, before, sides);
            next_direction(sides);
            project_all();
            add_own(sides);
            before = sides;
            if (double(chooser_.choose(projections_, left_size_, sides)) <= few) break;
            if (monitor_ != nullptr && !monitor_->keep_going(0.0)) throw Interrupted();
        }
        return sides;
    }

private:
    // From one random label to another.
    void first_direction(uint64_t seed) {
        Random random(seed);
        first_ = int64_t(random.below(uint64_t(patch_.size())));
        second_ = int64_t(random.below(uint64_t(patch_.size() - 1)));
        second_ += second_ >= first_;
        add_row(patch_, first_, 1.0f, direction_.data(), 0, patch_.width());
        add_row(patch_, second_, -1.0f, direction_.data(), 0, patch_.width());
    }

    void add_first_pair() {
        projections_[size_t(first_)] += patch_.own_of(first_);
        projections_[size_t(second_)] -= patch_.own_of(second_);
    }

    void project_all() {
        const int64_t n = patch_.size(), chunk = 2048;
        const int64_t tasks = threads_ == 1 ? 1 : (n + chunk - 1) / chunk;
        const int64_t length = threads_ == 1 ? n : chunk;
        parallel_for(tasks, threads_, [&](int64_t task, int) {
            project(patch_, direction_.data(), task * length, std::min((task + 1) * length, n), projections_.data());
        });
    }

    // Each worker takes a range of columns, so that every sum adds its rows in one order.
    void update_sums(bool first, const std::vector<int32_t>& before, const std::vector<int32_t>& sides) {
        const int64_t columns = patch_.width();
        parallel_for(threads_, threads_, [&](int64_t part, int) {
            const int64_t from = columns * part / threads_, to = columns * (part + 1) / threads_;
            for (int64_t row = 0; row < patch_.size(); ++row) {
                if (first) add_row(patch_, row, 1.0f, total_.data(), from, to);
                if (before[size_t(row)] == sides[size_t(row)]) continue;
                add_row(patch_, row, sides[size_t(row)] == 0 ? 1.0f : -1.0f, left_.data(), from, to);
            }
        });
    }

    // left centroid - right centroid, where the right sum is total - left.
    void next_direction(const std::vector<int32_t>& sides) {
        double left_square = 0.0, right_square = 0.0;
        for (size_t column = 0; column < left_.size(); ++column) {
            const double left = left_[column], right = double(total_[column]) - left;
            left_square += left * left;
            right_square += right * right;
        }
        for (size_t row = 0; row < patch_.own.size(); ++row) (sides[row] == 0 ? left_square : right_square) += patch_.own[row];
        left_scale_ = scale_of(left_square, left_size_);
        right_scale_ = scale_of(right_square, patch_.size() - left_size_);
        const float both = left_scale_ + right_scale_;
        for (size_t column = 0; column < left_.size(); ++column)
            direction_[column] = left_[column] * both - total_[column] * right_scale_;
    }

    float scale_of(double square, int64_t size) const {
        if (!options_.spherical) return float(1.0 / double(size));
        return square > 0.0 ? float(1.0 / std::sqrt(square)) : 0.0f;
    }

    void add_own(const std::vector<int32_t>& sides) {
        for (size_t row = 0; row < patch_.own.size(); ++row)
            projections_[row] += patch_.own[row] * (sides[row] == 0 ? left_scale_ : -right_scale_);
    }

    const Patch& patch_;
    const int64_t left_size_;
    const BisectOptions& options_;
    const int threads_;
    Monitor* const monitor_;
    std::vector<float> total_, left_, direction_, projections_;
    Chooser chooser_;
    int64_t first_ = 0, second_ = 0;
    float left_scale_ = 0.0f, right_scale_ = 0.0f;
};

// A range of positions that is still to be cut.
struct Job {
    Patch patch;
    Patch sketch;  // of the same labels, or of none
    int32_t cut;
    int64_t begin;
};

class Recursion {
public:
    Recursion(const CutPlan& plan, const BisectOptions& options, int32_t* order)
        : plan_(plan), options_(options), order_(order) {}

    // Cuts once; the sides that the plan cuts further are appended to `jobs`, the others written out.
    void cut(const Job& job, std::vector<Job>& jobs, PatchMaker& maker, int threads, Monitor* monitor) const {
        const int64_t middle = plan_.middles[job.cut];
        const uint64_t seed = mix_seed(options_.seed, uint64_t(job.begin), uint64_t(job.begin + job.patch.size()));
        const auto sides = bisect(job, middle - job.begin, seed, threads, monitor);
        pass_on(job, sides, 0, plan_.lefts[job.cut], job.begin, maker, jobs);
        pass_on(job, sides, 1, plan_.rights[job.cut], middle, maker, jobs);
    }

    void finish(Job job, PatchMaker& maker) const {
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        while (!jobs.empty()) {
            Job next = std::move(jobs.back());
            jobs.pop_back();
            cut(next, jobs, maker, 1, nullptr);
        }
    }

private:
    std::vector<int32_t> bisect(const Job& job, int64_t left_size, uint64_t seed, int threads, Monitor* monitor) const {
        TwoMeans full(job.patch, left_size, options_, threads, monitor);
        if (job.sketch.size() == 0) return full.run(seed);
        auto sides = TwoMeans(job.sketch, left_size, options_, threads, monitor).run(seed);
        return full.refine(std::move(sides), options_.refinements);
    }

    void pass_on(const Job& job, const std::vector<int32_t>& sides, int32_t side, int32_t cut, int64_t begin,
                 PatchMaker& maker, std::vector<Job>& jobs) const {
        if (cut >= 0) {
            Patch sketch;
            if (job.sketch.size() > 0) sketch = maker.select(job.sketch, sides, side);
            jobs.push_back({maker.select(job.patch, sides, side), std::move(sketch), cut, begin});
            return;
        }
        for (size_t row = 0; row < sides.size(); ++row)
            if (sides[row] == side) order_[begin++] = job.patch.labels[row];
    }

    const CutPlan& plan_;
    const BisectOptions& options_;
    int32_t* const order_;
};

}  // namespace

void balanced_order(const FeatureView& Z, const CutPlan& plan, const BisectOptions& options, int32_t* order,
                    Monitor* monitor) {
    std::vector<int32_t> labels(size_t(Z.rows));
    for (int64_t label = 0; label < Z.rows; ++label) labels[size_t(label)] = int32_t(label);
    if (plan.cuts == 0) {
        std::copy(labels.begin(), labels.end(), order);
        return;
    }
    const Recursion recursion(plan, options, order);
    std::vector<Job> large, small;
    std::vector<PatchMaker> makers(static_cast<size_t>(options.threads), PatchMaker(&options.folder));
    Patch sketch_patch;
    if (const Sketch sketch = make_sketch(Z, options.sketch, &options.folder); !sketch.empty())
        sketch_patch = makers[0].gather(sketch.vectors(Z), labels);
    large.push_back({makers[0].gather(Z, std::move(labels)), std::move(sketch_patch), 0, 0});
    const int64_t enough = large[0].patch.cost() / (32 * options.threads);
    while (!large.empty()) {  // near the root: one cut at a time, its labels shared among the threads
        Job job = std::move(large.back());
        large.pop_back();
        if (job.patch.cost() <= enough || job.patch.cost() < kParallelCost / 4) {
            small.push_back(std::move(job));
            continue;
        }
        recursion.cut(job, large, makers[0], options.threads, monitor);
    }
    std::stable_sort(small.begin(), small.end(),
                     [](const Job& a, const Job& b) { return a.patch.cost() > b.patch.cost(); });
    parallel_for(
        int64_t(small.size()), options.threads,
        [&](int64_t task, int worker) { recursion.finish(std::move(small[size_t(task)]), makers[size_t(worker)]); },
        monitor);
}

}  // namespace ramify
