// Balanced clustering by recursive bisection.
//
// A plan fixed beforehand says where every range of label positions is cut; only which labels go to which side depends
// on the data: 2-means (spherical or not), each side as large as planned. Equal results for any number of threads.
// Long vectors are first cut by a sketch of their largest entries, and a few full steps put right what it missed.
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
    int sketch;         // entries per label in the sketch; 0: none
    int refinements;    // at most so many full assignments after the sketch
};

// Cuts in preorder: cut 0 splits all labels; a side that is not cut further has child -1.
struct CutPlan {
    int64_t cuts;
    const int64_t* middles;  // position (0..labels) at which the right side begins
    const int32_t* lefts;
    const int32_t* rights;
};

// order: label ids by position; within an uncut range they ascend.
void balanced_order(const LabelVectors& Z, const CutPlan& plan, const BisectOptions& options, int32_t* order,
                    Monitor* monitor);

}  // namespace ramify
