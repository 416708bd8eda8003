#include "cluster_nearest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace ramify {
namespace {

constexpr int64_t kBlock = 32;  // rows per task

using Scored = std::pair<float, int32_t>;

bool better(const Scored& a, const Scored& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; }

// All products of one row, and the k best of them.
class Search {
public:
    explicit Search(const NearestInput& input) : input_(input), products_(size_t(input.rows.rows), 0.0f) {}

    void run(int64_t row, int32_t* neighbours, float* products) {
        accumulate(row);
        best_.clear();
        for (int64_t other = 0; other < input_.rows.rows; ++other) {
            const float product = products_[size_t(other)];
            products_[size_t(other)] = 0.0f;
            if (product > floor_ && other != row) offer({product, int32_t(other)});
        }
        std::sort(best_.begin(), best_.end(), better);
        for (int64_t i = 0; i < input_.k; ++i) {
            const bool found = i < int64_t(best_.size());
            neighbours[i] = found ? best_[size_t(i)].second : -1;
            products[i] = found ? best_[size_t(i)].first : 0.0f;
        }
        floor_ = 0.0f;
    }

private:
    void accumulate(int64_t row) {
        const CsrView &rows = input_.rows, &columns = input_.columns;
        for (int64_t k = rows.begin(row); k < rows.end(row); ++k) {
            const int32_t column = rows.indices[k];
            const float entry = rows.data[k];
            for (int64_t j = columns.begin(column); j < columns.end(column); ++j)
                products_[size_t(columns.indices[j])] += entry * columns.data[j];
        }
    }

    // A heap whose top is the worst kept; rows are visited in ascending order, so an equal one does not replace it.
    void offer(Scored scored) {
        best_.push_back(scored);
        std::push_heap(best_.begin(), best_.end(), better);
        if (int64_t(best_.size()) > input_.k) {
            std::pop_heap(best_.begin(), best_.end(), better);
            best_.pop_back();
        }
        if (int64_t(best_.size()) == input_.k) floor_ = best_.front().first;
    }

    const NearestInput& input_;
    std::vector<float> products_;
    std::vector<Scored> best_;
    float floor_ = 0.0f;
};

}  // namespace

void nearest(const NearestInput& input, int32_t* neighbours, float* products, Monitor* monitor) {
    const int64_t n = input.rows.rows, blocks = (n + kBlock - 1) / kBlock;
    const int threads = int(std::clamp<int64_t>(blocks, 1, input.threads));
    std::vector<Search> searches(static_cast<size_t>(threads), Search(input));
    parallel_for(
        blocks, threads,
        [&](int64_t block, int worker) {
            const int64_t end = std::min((block + 1) * kBlock, n);
            for (int64_t row = block * kBlock; row < end; ++row)
                searches[size_t(worker)].run(row, neighbours + row * input.k, products + row * input.k);
        },
        monitor);
}

}  // namespace ramify
