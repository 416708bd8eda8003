#include "cluster_lloyd.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cluster_random.hpp"

namespace ramify {
namespace {

constexpr int64_t kParallelCost = 100000;  // entries; below, starting threads costs more than it saves
constexpr int64_t kRowChunk = 512;

class Lloyd {
public:
    Lloyd(const Patch& patch, int64_t clusters, const LloydOptions& options, int threads, Monitor* monitor)
        : patch_(patch), k_(clusters), options_(options), threads_(patch.cost() < kParallelCost ? 1 : threads),
          monitor_(monitor), sums_(size_t(patch.columns * clusters), 0.0f), sizes_(size_t(clusters)),
          scales_(size_t(clusters)), penalties_(size_t(clusters)) {}

    std::vector<int32_t> run(uint64_t seed) {
        const int64_t n = patch_.size();
        std::vector<int32_t> before(size_t(n), -1), members = first_members(seed);
        for (int iteration = 0; iteration < options_.iterations; ++iteration) {
            update_sums(before, members);
            update_scales(members);
            before = members;
            assign_all(before, members);
            int64_t moved = 0;
            for (int64_t row = 0; row < n; ++row) moved += before[size_t(row)] != members[size_t(row)];
            if (double(moved) <= options_.tolerance * double(n)) break;
            if (monitor_ != nullptr && !monitor_->keep_going(0.0)) throw Interrupted();
        }
        return members;
    }

private:
    // k distinct random rows are the initial clusters; all other rows are unassigned.
    std::vector<int32_t> first_members(uint64_t seed) const {
        const int64_t n = patch_.size();
        std::vector<int64_t> rows(static_cast<size_t>(n));
        std::iota(rows.begin(), rows.end(), int64_t(0));
        std::vector<int32_t> members(size_t(n), -1);
        Random random(seed);
        for (int64_t cluster = 0; cluster < k_; ++cluster) {
            std::swap(rows[size_t(cluster)], rows[size_t(cluster) + random.below(uint64_t(n - cluster))]);
            members[size_t(rows[size_t(cluster)])] = int32_t(cluster);
        }
        return members;
    }

    // Each worker takes a range of columns, so that every sum adds its rows in one order.
    void update_sums(const std::vector<int32_t>& before, const std::vector<int32_t>& members) {
        parallel_for(threads_, threads_, [&](int64_t part, int) {
            const int64_t from = patch_.columns * part / threads_, to = patch_.columns * (part + 1) / threads_;
            for (size_t row = 0; row < members.size(); ++row) {
                if (before[row] == members[row]) continue;
                add(int64_t(row), before[row], -1.0f, from, to);
                add(int64_t(row), members[row], 1.0f, from, to);
            }
        });
    }

    void add(int64_t row, int32_t cluster, float sign, int64_t from, int64_t to) {
        if (cluster < 0) return;
        for_entries(patch_, row, from, to,
                    [&](int64_t column, float entry) { sums_[size_t(column * k_ + cluster)] += sign * entry; });
    }

    // Centroid = sum * scale; the penalty |centroid|² is the term of the Euclidean distance.
    void update_scales(const std::vector<int32_t>& members) {
        std::vector<double> squares(size_t(k_), 0.0);
        for (int64_t column = 0; column < patch_.columns; ++column)
            for (int64_t c = 0; c < k_; ++c) {
                const double sum = sums_[size_t(column * k_ + c)];
                squares[size_t(c)] += sum * sum;
            }
        std::fill(sizes_.begin(), sizes_.end(), 0);
        for (size_t row = 0; row < members.size(); ++row) {
            if (members[row] < 0) continue;
            sizes_[size_t(members[row])] += 1;
            squares[size_t(members[row])] += patch_.own_of(int64_t(row));
        }
        for (size_t c = 0; c < sizes_.size(); ++c) {
            const double size = double(std::max<int64_t>(sizes_[c], 1));
            const double length = options_.spherical ? std::sqrt(squares[c]) : size;
            scales_[c] = length > 0.0 ? float(1.0 / length) : 0.0f;
            penalties_[c] = options_.spherical ? 0.0f : float(0.5 * squares[c] / (size * size));
        }
    }

    void assign_all(const std::vector<int32_t>& before, std::vector<int32_t>& members) const {
        const int64_t n = patch_.size();
        parallel_for((n + kRowChunk - 1) / kRowChunk, threads_, [&](int64_t chunk, int) {
            std::vector<float> scores(static_cast<size_t>(k_));
            const int64_t end = std::min((chunk + 1) * kRowChunk, n);
            for (int64_t row = chunk * kRowChunk; row < end; ++row)
                members[size_t(row)] = nearest(row, before[size_t(row)], scores);
        });
    }

    // The cluster with the highest score, ties by the lower number; empty clusters stay empty.
    int32_t nearest(int64_t row, int32_t home, std::vector<float>& scores) const {
        std::fill(scores.begin(), scores.end(), 0.0f);
        float* const out = scores.data();
        const int64_t k = k_;
        for_entries(patch_, row, 0, patch_.columns, [&](int64_t column, float entry) {
            const float* sums = sums_.data() + column * k;
            for (int64_t c = 0; c < k; ++c) out[c] += entry * sums[c];
        });
        if (home >= 0) scores[size_t(home)] += patch_.own_of(row);
        int32_t best = -1;
        float best_score = 0.0f;
        bool touched = !options_.spherical;
        for (size_t c = 0; c < scores.size(); ++c) {
            if (sizes_[c] == 0) continue;
            const float score = scores[c] * scales_[c] - penalties_[c];
            touched |= score != 0.0f;
            if (best >= 0 && score <= best_score) continue;
            best = int32_t(c);
            best_score = score;
        }
        return touched ? best : -1;
    }

    const Patch& patch_;
    const int64_t k_;
    const LloydOptions& options_;
    const int threads_;
    Monitor* const monitor_;
    std::vector<float> sums_;  // (columns, clusters)
    std::vector<int64_t> sizes_;
    std::vector<float> scales_, penalties_;
};

void split_range(const LabelVectors& Z, const LloydRanges& ranges, int64_t range, const LloydOptions& options,
                 PatchMaker& maker, int threads, int32_t* assignment, Monitor* monitor) {
    const int64_t begin = ranges.begins[range], end = ranges.ends[range];
    const Patch patch = maker.gather(Z, std::vector<int32_t>(ranges.order + begin, ranges.order + end));
    const uint64_t seed = mix_seed(options.seed, uint64_t(begin), uint64_t(end));
    const auto members = lloyd(patch, ranges.clusters[range], options, seed, threads, monitor);
    std::copy(members.begin(), members.end(), assignment + begin);
}

}  // namespace

std::vector<int32_t> lloyd(const Patch& patch, int64_t clusters, const LloydOptions& options, uint64_t seed,
                           int threads, Monitor* monitor) {
    return Lloyd(patch, clusters, options, threads, monitor).run(seed);
}

void lloyd_ranges(const LabelVectors& Z, const LloydRanges& ranges, const LloydOptions& options, int32_t* assignment,
                  Monitor* monitor) {
    std::vector<int64_t> by_size(static_cast<size_t>(ranges.count));
    std::iota(by_size.begin(), by_size.end(), int64_t(0));
    const auto size_of = [&](int64_t range) { return ranges.ends[range] - ranges.begins[range]; };
    std::stable_sort(by_size.begin(), by_size.end(), [&](int64_t a, int64_t b) { return size_of(a) > size_of(b); });
    std::vector<PatchMaker> makers(static_cast<size_t>(options.threads));
    int64_t large = 0;  // these share their labels among the threads, one range at a time
    while (large < ranges.count && size_of(by_size[size_t(large)]) * 4 * options.threads > Z.rows) ++large;
    for (int64_t i = 0; i < large; ++i)
        split_range(Z, ranges, by_size[size_t(i)], options, makers[0], options.threads, assignment, monitor);
    parallel_for(
        ranges.count - large, options.threads,
        [&](int64_t task, int worker) {
            PatchMaker& maker = makers[size_t(worker)];
            split_range(Z, ranges, by_size[size_t(large + task)], options, maker, 1, assignment, nullptr);
        },
        monitor);
}

}  // namespace ramify
