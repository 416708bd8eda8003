// Shared by the binding files: array types without implicit conversion, and the monitor that reports to Python.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <chrono>
#include <optional>

#include "csr.hpp"
#include "parallel.hpp"

namespace ramify {

namespace nb = nanobind;

// Arguments. Every binding marks them .noconvert(): otherwise nanobind copies an array of another dtype, and results
// written to it are lost.
template <class T>
using In1 = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using In2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// An argument that is never converted.
inline auto strict(const char* name) { return nb::arg(name).noconvert(); }

using Texts = nb::typed<nb::tuple, nb::str, nb::ellipsis>;
using Progress = std::optional<nb::typed<nb::callable, void(double)>>;

inline CsrView csr_view(const In1<int64_t>& indptr, const In1<int32_t>& indices, const In1<float>& data, int64_t cols) {
    return {int64_t(indptr.size()) - 1, cols, indptr.data(), indices.data(), data.data()};
}

// Instances that Python passes in one argument; keeps their arrays alive. Shapes are checked in Python.
struct FeatureArrays {
    In1<int64_t> indptr;
    In1<int32_t> indices;
    In1<float> data;
    int64_t n_columns;  // sparse ones
    std::optional<In2<float>> dense;
    std::optional<In1<float>> dense_scale;

    FeatureView view() const {
        const CsrView sparse = csr_view(indptr, indices, data, n_columns);
        if (!dense) return sparse;
        return {sparse, int64_t(dense->shape(1)), dense->data(), dense_scale ? dense_scale->data() : nullptr};
    }
};

// Checks for Ctrl-C and reports progress at most ten times per second; only then is the GIL acquired.
class PythonMonitor : public Monitor {
public:
    explicit PythonMonitor(Progress progress = std::nullopt) : progress_(std::move(progress)) {}

    bool keep_going(double done) override {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(100)) return true;
        last_ = now;
        nb::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
        if (progress_) (*progress_)(done);
        return true;
    }

private:
    Progress progress_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// One function per group of kernels, defined in bindings_<group>.cpp.
void bind_features(nb::module_& m);
void bind_text(nb::module_& m);
void bind_lexical(nb::module_& m);
void bind_cluster(nb::module_& m);
void bind_train(nb::module_& m);
void bind_predict(nb::module_& m);
void bind_neighbours(nb::module_& m);

}  // namespace ramify
