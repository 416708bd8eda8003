// PIFA, positive instance feature aggregation: the sum of the features of a label's instances, scaled to length 1. With a
// dense block, a label's vector has one as well.
// Two passes, so that Python allocates exactly what is needed: count the entries of each label, then fill them.
#pragma once
#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace ramify {

struct PifaInput {
    FeatureView X;            // (n, d)
    CsrView members;          // (L, n), pattern only: the instances of each label
    const float* weights;     // n: weight of an instance, 1 / sqrt(number of its labels)
    int64_t max_features;     // maximum number of sparse entries per label, the largest
    int threads;
};

// counts[l]: entries of label l.
void pifa_count(const PifaInput& input, int64_t* counts, Monitor* monitor);

// Vectors of all labels. indptr: L + 1, the running sum of the counts; dense: L x n_dense.
struct PifaOutput {
    const int64_t* indptr;
    int32_t* indices;
    float* data;
    float* dense = nullptr;
};
void pifa_fill(const PifaInput& input, const PifaOutput& output, Monitor* monitor);

}  // namespace ramify
