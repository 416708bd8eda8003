// Lloyd's k-means with clusters of any size (Bonsai): every range of labels is split into up to k clusters.
#pragma once
#include <cstdint>
#include <vector>

#include "cluster_patch.hpp"
#include "parallel.hpp"

namespace ramify {

struct LloydOptions {
    bool spherical;
    int iterations;    // maximum number of assignments
    double tolerance;  // stop if at most this share of the labels moved
    uint64_t seed;
    int threads;
};

// The ranges of one tree depth: range r has the labels order[begins[r]..ends[r]) and is split into up to clusters[r]
// clusters.
struct LloydRanges {
    int64_t count;
    const int64_t* begins;
    const int64_t* ends;
    const int32_t* clusters;
    const int32_t* order;  // ascending labels within each range
};

// k-means of one patch: a cluster in 0..clusters-1 per row; some may stay empty. clusters <= rows.
// A row whose dot product with every centroid is 0 has -1.
std::vector<int32_t> lloyd(const Patch& patch, int64_t clusters, const LloydOptions& options, uint64_t seed,
                           int threads, Monitor* monitor);

// assignment[position] for the positions of all ranges; other positions are not changed.
void lloyd_ranges(const LabelVectors& Z, const LloydRanges& ranges, const LloydOptions& options, int32_t* assignment,
                  Monitor* monitor);

}  // namespace ramify
