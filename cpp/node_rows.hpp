// Gathers the rows of one node and renumbers their features, so that the node's weights are few and stay in cache.
#pragma once
#include <cstddef>
#include <vector>

#include "csr.hpp"
#include "huge_pages.hpp"
#include "solver.hpp"
#include "spill.hpp"

namespace ramify {

// A feature that a single row of the node has.
struct PrivateFeature {
    int32_t row;
    int32_t feature;  // as in X
    float value;
};

// Reused for all nodes of a worker, or made for one node that several workers share.
class NodeGatherer {
public:
    // The values of the rows are in files of a folder (see spill.hpp), which must outlive the object; null or empty: in memory.
    NodeGatherer(const FeatureView& X, const float* dense_squares, const float* instance_weights, const std::string* folder = nullptr);

    // Gathers the given instances (rows of X, ascending). A factor multiplies the weight of an instance in this node; with 0
    // the weight is unchanged. Views are valid until the next call.
    void gather(const int32_t* instances, int64_t n_instances, const float* factors = nullptr);

    // Frees the memory that only `gather` needs; it cannot be called again.
    void finish();

    NodeRows rows() const;
    const std::vector<int32_t>& features() const { return features_; }  // node's number -> column of X
    const SpillVector<PrivateFeature>& private_features() const { return private_; }

private:
    void count_features(const int32_t* instances, int64_t n_instances);
    void copy_rows(const int32_t* instances, int64_t n_instances);
    void ask_for(int32_t instance, bool values) const;
    void point_at_dense_rows(const int32_t* instances, int64_t n_instances);
    void weigh(const int32_t* instances, int64_t n_instances, const float* factors);

    static constexpr int64_t kAhead = 8;  // rows from the prefetch to the use

    const FeatureView& X_;
    const float* dense_squares_;  // per row of X: squared length of its dense block; null without one
    const float* instance_weights_;
    std::vector<int32_t> number_;  // per column of X: rows that have it, then its number + 1; all zero between calls
    std::vector<int32_t> touched_;
    std::vector<int32_t> features_;
    SpillVector<PrivateFeature> private_;
    std::vector<int64_t> begin_;
    SpillVector<LocalEntry, HugePages<LocalEntry>> entries_;
    std::vector<float> own_square_, square_, weight_;
    std::vector<const float*> dense_;  // values stay in X
    std::vector<float> dense_scale_;
};

}  // namespace ramify
