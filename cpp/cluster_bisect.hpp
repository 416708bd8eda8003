// Balanced clustering by recursive bisection.
//
// A plan fixed beforehand says where every range of label positions is cut; only which labels go to which side depends
// on the data: 2-means (spherical or not), each side as large as planned. Equal results for any number of threads.
#pragma once
#include <cstdint>
#include <vector>

#include "cluster_patch.hpp"
#include "parallel.hpp"

namespace ramify {

struct BisectOptions {
    bool spherical;
    int iterations;     // at most so many assignments per cut
    double tolerance;   // stop when at most this share of the labels moved
    uint64_t seed;
    int threads;
};

// Cuts in preorder: cut 0 splits all labels; a side that is not cut further has child -1.
struct CutPlan {
    int64_t cuts;
    const int64_t* middles;  // position (0..labels) at which the right side begins
    const int32_t* lefts;
    const int32_t* rights;
};

// 2-means of one patch: sides[row] = 0 for exactly `left_size` rows, 1 for the others.
std::vector<int32_t> bisect(const Patch& patch, int64_t left_size, const BisectOptions& options, uint64_t seed,
                            int threads, Monitor* monitor);

// order: label ids by position; within an uncut range they ascend.
void balanced_order(const LabelVectors& Z, const CutPlan& plan, const BisectOptions& options, int32_t* order,
                    Monitor* monitor);

}  // namespace ramify
