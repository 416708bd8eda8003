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

// neighbours, products: (n, k), best first, the lower number among equals. Only vectors that share a column with a
// positive product count; -1 and 0 fill the rest.
void nearest(const NearestInput& input, int32_t* neighbours, float* products, Monitor* monitor);

}  // namespace ramify
