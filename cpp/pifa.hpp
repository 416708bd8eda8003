// PIFA, positive instance feature aggregation: the sum of the features of a label's instances, scaled to length 1.
// Two passes, so that Python allocates exactly what is needed: count the entries of each label, then fill them.
#pragma once
#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace ramify {

struct PifaInput {
    CsrView X;                // (n, d)
    CsrView members;          // (L, n), pattern only: the instances of each label
    const float* weights;     // n: weight of an instance, 1 / sqrt(number of its labels)
    int64_t max_features;     // maximum number of entries per label, the largest
    int threads;
};

// counts[l]: entries of label l.
void pifa_count(const PifaInput& input, int64_t* counts, Monitor* monitor);

// indptr: L + 1, the running sum of the counts.
void pifa_fill(const PifaInput& input, const int64_t* indptr, int32_t* indices, float* data, Monitor* monitor);

}  // namespace ramify
