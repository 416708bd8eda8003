// The nearest neighbours of every sparse vector among all others, exactly, by dot product.
#pragma once
#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace ramify {

struct NearestInput {
    CsrView rows;     // (n, d)
    CsrView columns;  // its transpose (d, n)
    int64_t k;
    int threads;
};

// neighbours, products: (n, k), descending, ties by the lower number. Only positive products are included; padded
// with -1 and 0.
void nearest(const NearestInput& input, int32_t* neighbours, float* products, Monitor* monitor);

}  // namespace ramify
