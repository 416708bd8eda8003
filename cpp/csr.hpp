// A view of a matrix of compressed sparse rows.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ramify {

using std::size_t;

struct CsrView {
    int64_t rows = 0;
    int64_t cols = 0;
    const int64_t* indptr = nullptr;   // rows + 1
    const int32_t* indices = nullptr;  // sorted within a row, no duplicates
    const float* data = nullptr;       // may be null if only the pattern is used

    int64_t begin(int64_t row) const { return indptr[row]; }
    int64_t end(int64_t row) const { return indptr[row + 1]; }
    int64_t length(int64_t row) const { return indptr[row + 1] - indptr[row]; }
    int64_t nnz() const { return indptr[rows]; }
};

}  // namespace ramify
