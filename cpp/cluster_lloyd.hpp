// Lloyd's k-means with clusters of any size (Bonsai): every range of labels is split in up to k clusters.
#pragma once
#include <cstdint>
#include <vector>

#include "cluster_patch.hpp"
#include "parallel.hpp"

namespace ramify {

struct LloydOptions {
    bool spherical;
    int iterations;    // at most so many assignments
    double tolerance;  // stop when at most this share of the labels moved
    uint64_t seed;
    int threads;
};

// The ranges of one tree depth: range r holds the labels order[begins[r]..ends[r]) and wants clusters[r] clusters.
struct LloydRanges {
    int64_t count;
    const int64_t* begins;
    const int64_t* ends;
    const int32_t* clusters;
    const int32_t* order;  // ascending labels within each range
};

// k-means of one patch: a cluster in 0..clusters-1 per row; some may stay empty. clusters <= rows.
// A row that no centroid touches has -1: it points nowhere that the others do.
std::vector<int32_t> lloyd(const Patch& patch, int64_t clusters, const LloydOptions& options, uint64_t seed,
                           int threads, Monitor* monitor);

// assignment[position] for the positions of all ranges; other positions are left alone.
void lloyd_ranges(const LabelVectors& Z, const LloydRanges& ranges, const LloydOptions& options, int32_t* assignment,
                  Monitor* monitor);

}  // namespace ramify
