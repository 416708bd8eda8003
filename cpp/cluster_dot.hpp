// Many dot products with one dense vector: the inner loop of clustering, once per instruction set.
#pragma once
#include <cstdint>

namespace ramify {

// products[row] = sum over k in the row of data[k] * direction[indices[k]], rows in [begin, end).
struct SparseDots {
    const int64_t* indptr;
    const int32_t* indices;
    const float* data;
    const float* direction;
    int64_t begin, end;
    float* products;
};

// products[row] += vectors[labels[row]] · direction.
struct DenseDots {
    const int32_t* labels;
    const float* vectors;
    int64_t columns;
    const float* direction;
    int64_t begin, end;
    float* products;
};

void sparse_dots(const SparseDots& work);
void add_dense_dots(const DenseDots& work);

void sparse_dots_avx512(const SparseDots& work);
void add_dense_dots_avx512(const DenseDots& work);

}  // namespace ramify
