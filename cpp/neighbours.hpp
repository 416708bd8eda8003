// The training instances most similar to a query by cosine, and the labels that they vote for.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "csr.hpp"
#include "parallel.hpp"

namespace ramify {

struct NeighbourModel {
    CsrView columns;  // (d, n): the training instances that have each feature, with values of rows of length one
    CsrView labels;   // (n, L), pattern only: the labels of each training instance

    int64_t instances() const { return labels.rows; }
};

struct NeighbourOptions {
    int neighbours = 10;
    double power = 3.0;  // a neighbour of similarity s says s^power
    int k = 10;
    int threads = 1;
};

// Which labels may be answered.
struct LabelFilter {
    const uint8_t* mask = nullptr;    // L: 0 = for nobody; null: all
    const int64_t* indptr = nullptr;  // per query, ascending; null: nothing said per query
    const int32_t* labels = nullptr;
    bool only = false;  // whether the labels per query are the only ones, or those left out
};

// What one thread needs, among it a number per training instance; all zero between queries.
class NeighbourWorker;

// Workers wait here between calls, so that a call for a single query allocates nothing.
class NeighbourPool {
public:
    NeighbourPool();
    ~NeighbourPool();
    std::unique_ptr<NeighbourWorker> take(const NeighbourModel& model);
    void give(std::unique_ptr<NeighbourWorker> worker);

private:
    std::mutex guard_;
    std::vector<std::unique_ptr<NeighbourWorker>> idle_;
};

// labels, scores: rows x k, best first, ties by smaller label; -1 and -inf fill up.
// Every query is answered by itself: the same bits alone or in a batch, on one thread or many.
void nearest_labels(const NeighbourModel& model, NeighbourPool& pool, const CsrView& X, const NeighbourOptions& options,
                    const LabelFilter& filter, int32_t* labels, float* scores, Monitor* monitor);

}  // namespace ramify
