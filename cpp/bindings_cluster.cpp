#include "bindings.hpp"

#include <nanobind/stl/string.h>

#include "cluster_bisect.hpp"
#include "cluster_nearest.hpp"
#include "pifa.hpp"

namespace ramify {
namespace {

using Pointers = In1<int64_t>;
using Indices = In1<int32_t>;
using Numbers = In1<float>;

CsrView members_of(const Pointers& y_indptr, const Indices& y_rows, const FeatureView& X) {
    return {int64_t(y_indptr.size()) - 1, X.rows, y_indptr.data(), y_rows.data(), nullptr};
}

void bind_pifa(nb::module_& m) {
    m.def(
        "pifa_count",
        [](const FeatureArrays& features, const Pointers& y_indptr, const Indices& y_rows, int64_t max_features,
           int threads, Out1<int64_t> counts) {
            const FeatureView X = features.view();
            PythonMonitor monitor;
            nb::gil_scoped_release release;
            pifa_count({X, members_of(y_indptr, y_rows, X), nullptr, max_features, threads}, counts.data(), &monitor);
        },
        nb::arg("features"), strict("y_indptr"), strict("y_rows"), nb::arg("max_features"), nb::arg("threads"),
        strict("counts"));
    m.def(
        "pifa_fill",
        [](const FeatureArrays& features, const Pointers& y_indptr, const Indices& y_rows, const Numbers& weights,
           int64_t max_features, int threads, const Pointers& indptr, Out1<int32_t> indices, Out1<float> data,
           std::optional<Out2<float>> dense) {
            const FeatureView X = features.view();
            PythonMonitor monitor;
            nb::gil_scoped_release release;
            pifa_fill({X, members_of(y_indptr, y_rows, X), weights.data(), max_features, threads},
                      {indptr.data(), indices.data(), data.data(), dense ? dense->data() : nullptr}, &monitor);
        },
        nb::arg("features"), strict("y_indptr"), strict("y_rows"), strict("weights"), nb::arg("max_features"),
        nb::arg("threads"), strict("indptr"), strict("indices"), strict("data"), strict("dense").none());
}

void bind_bisect(nb::module_& m) {
    nb::class_<BisectOptions>(m, "BisectOptions")
        .def(nb::init<bool, int, double, uint64_t, int, int, int, std::string>(), nb::arg("spherical"), nb::arg("iterations"),
             nb::arg("tolerance"), nb::arg("seed"), nb::arg("threads"), nb::arg("sketch"), nb::arg("refinements"), nb::arg("folder"));
    m.def(
        "balanced_order",
        [](const FeatureArrays& vectors, const Pointers& middles, const Indices& lefts, const Indices& rights,
           const BisectOptions& options, Out1<int32_t> order) {
            const CutPlan plan{int64_t(middles.size()), middles.data(), lefts.data(), rights.data()};
            PythonMonitor monitor;
            nb::gil_scoped_release release;
            balanced_order(vectors.view(), plan, options, order.data(), &monitor);
        },
        nb::arg("vectors"), strict("middles"), strict("lefts"), strict("rights"), nb::arg("options"), strict("order"));
}

void bind_nearest(nb::module_& m) {
    m.def(
        "nearest",
        [](const Pointers& indptr, const Indices& indices, const Numbers& data, const Pointers& column_indptr,
           const Indices& column_indices, const Numbers& column_data, int threads, Out2<int32_t> neighbours,
           Out2<float> products) {
            const int64_t n = int64_t(indptr.size()) - 1, d = int64_t(column_indptr.size()) - 1;
            const CsrView rows = csr_view(indptr, indices, data, d);
            const CsrView columns = csr_view(column_indptr, column_indices, column_data, n);
            PythonMonitor monitor;
            nb::gil_scoped_release release;
            nearest({rows, columns, int64_t(neighbours.shape(1)), threads}, neighbours.data(), products.data(),
                    &monitor);
        },
        strict("indptr"), strict("indices"), strict("data"),
        strict("column_indptr"), strict("column_indices"),
        strict("column_data"), nb::arg("threads"), strict("neighbours"),
        strict("products"));
}

}  // namespace

void bind_cluster(nb::module_& m) {
    bind_pifa(m);
    bind_bisect(m);
    bind_nearest(m);
}

}  // namespace ramify
