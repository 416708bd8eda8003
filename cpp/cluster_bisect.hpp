// Balanced clustering by recursive bisection.
//
// A plan that does not depend on the data contains the cuts of the ranges of label positions. 2-means (spherical or not)
// assigns the labels to the sides, whose sizes are planned. The result is the same for any number of threads. Long vectors
// are first split by a sketch of their largest sparse entries; a few steps with the full vectors refine the result.
#pragma once
#include <cstdint>
#include <vector>

#include "cluster_patch.hpp"
#include "parallel.hpp"

namespace ramify {

struct BisectOptions {
    bool spherical;
    int iterations;     // maximum number of assignments per cut
    double tolerance;   // stop if at most this share of the labels moved
    uint64_t seed;
    int threads;
    int sketch;         // entries per label in the sketch; 0: none
    int refinements;    // maximum number of full assignments after the sketch
    std::string folder = {};  // of the files that hold the vectors of large clusters; empty: they are in memory
};

// Cuts in preorder: cut 0 splits all labels; a side that is not cut further has child -1.
struct CutPlan {
    int64_t cuts;
    const int64_t* middles;  // position (0..labels) at which the right side begins
    const int32_t* lefts;
    const int32_t* rights;
};

// order: label ids by position; within an uncut range they ascend.
void balanced_order(const FeatureView& Z, const CutPlan& plan, const BisectOptions& options, int32_t* order,
                    Monitor* monitor);

}  // namespace ramify
