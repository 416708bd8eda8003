// The training instances with the largest cosine to a query, and the vote for their labels.
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
    double power = 3.0;  // a neighbour of similarity s has the weight s^power
    int k = 10;
    int threads = 1;
};

// Labels that may be predicted.
struct LabelFilter {
    const uint8_t* mask = nullptr;    // L: 0 = never; null: all
    const int64_t* indptr = nullptr;  // per query, ascending; null: no restriction per query
    const int32_t* labels = nullptr;
    bool only = false;  // true: the labels per query are the only ones; false: they are excluded
};

// Working memory of one thread, with a number per training instance; all 0 between queries.
class NeighbourWorker;

// Workspaces are reused between calls, so that a call for a single query allocates nothing.
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

// labels, scores: rows x k, descending, ties by smaller label; padded with -1 and -inf.
// The result of a query does not depend on the batch or the number of threads: same bits.
void nearest_labels(const NeighbourModel& model, NeighbourPool& pool, const CsrView& X, const NeighbourOptions& options,
                    const LabelFilter& filter, int32_t* labels, float* scores, Monitor* monitor);

}  // namespace ramify
