#include "bindings.hpp"
#include "cluster_bisect.hpp"
#include "cluster_nearest.hpp"
#include "pifa.hpp"

namespace ramify {
namespace {

using Pointers = In1<int64_t>;
using Indices = In1<int32_t>;
using Numbers = In1<float>;

void bind_pifa(nb::module_& m) {
    m.def(
        "pifa_count",
        [](const Pointers& x_indptr, const Indices& x_indices, const Numbers& x_data, int64_t n_columns,
           const Pointers& y_indptr, const Indices& y_rows, int64_t max_features, int threads, Out1<int64_t> counts) {
            const CsrView X = csr_view(x_indptr, x_indices, x_data, n_columns);
            const CsrView members{int64_t(y_indptr.size()) - 1, X.rows, y_indptr.data(), y_rows.data(), nullptr};
            PythonMonitor monitor;
            nb::gil_scoped_release release;
            pifa_count({X, members, nullptr, max_features, threads}, counts.data(), &monitor);
        },
        strict("x_indptr"), strict("x_indices"), strict("x_data"),
        nb::arg("n_columns"), strict("y_indptr"), strict("y_rows"), nb::arg("max_features"),
        nb::arg("threads"), strict("counts"));
    m.def(
        "pifa_fill",
        [](const Pointers& x_indptr, const Indices& x_indices, const Numbers& x_data, int64_t n_columns,
           const Pointers& y_indptr, const Indices& y_rows, const Numbers& weights, int64_t max_features, int threads,
           const Pointers& indptr, Out1<int32_t> indices, Out1<float> data) {
            const CsrView X = csr_view(x_indptr, x_indices, x_data, n_columns);
            const CsrView members{int64_t(y_indptr.size()) - 1, X.rows, y_indptr.data(), y_rows.data(), nullptr};
            PythonMonitor monitor;
            nb::gil_scoped_release release;
            pifa_fill({X, members, weights.data(), max_features, threads}, indptr.data(), indices.data(), data.data(),
                      &monitor);
        },
        strict("x_indptr"), strict("x_indices"), strict("x_data"),
        nb::arg("n_columns"), strict("y_indptr"), strict("y_rows"),
        strict("weights"), nb::arg("max_features"), nb::arg("threads"), strict("indptr"),
        strict("indices"), strict("data"));
}

LabelVectors sparse_vectors(const Pointers& indptr, const Indices& indices, const Numbers& data, int64_t n_columns) {
    LabelVectors Z;
    Z.sparse = csr_view(indptr, indices, data, n_columns);
    Z.rows = Z.sparse.rows;
    Z.cols = n_columns;
    return Z;
}

LabelVectors dense_vectors(const In2<float>& dense) {
    LabelVectors Z;
    Z.dense = dense.data();
    Z.rows = int64_t(dense.shape(0));
    Z.cols = int64_t(dense.shape(1));
    return Z;
}

void bind_bisect(nb::module_& m) {
    nb::class_<BisectOptions>(m, "BisectOptions")
        .def(nb::init<bool, int, double, uint64_t, int, int, int>(), nb::arg("spherical"), nb::arg("iterations"),
             nb::arg("tolerance"), nb::arg("seed"), nb::arg("threads"), nb::arg("sketch"), nb::arg("refinements"));
    const auto run = [](const LabelVectors& Z, const Pointers& middles, const Indices& lefts, const Indices& rights,
                        const BisectOptions& options, Out1<int32_t>& order) {
        const CutPlan plan{int64_t(middles.size()), middles.data(), lefts.data(), rights.data()};
        PythonMonitor monitor;
        nb::gil_scoped_release release;
        balanced_order(Z, plan, options, order.data(), &monitor);
    };
    m.def(
        "balanced_order_sparse",
        [run](const Pointers& indptr, const Indices& indices, const Numbers& data, int64_t n_columns,
              const Pointers& middles, const Indices& lefts, const Indices& rights, const BisectOptions& options,
              Out1<int32_t> order) {
            run(sparse_vectors(indptr, indices, data, n_columns), middles, lefts, rights, options, order);
        },
        strict("indptr"), strict("indices"), strict("data"),
        nb::arg("n_columns"), strict("middles"), strict("lefts"),
        strict("rights"), nb::arg("options"), strict("order"));
    m.def(
        "balanced_order_dense",
        [run](const In2<float>& vectors, const Pointers& middles, const Indices& lefts, const Indices& rights,
              const BisectOptions& options, Out1<int32_t> order) {
            run(dense_vectors(vectors), middles, lefts, rights, options, order);
        },
        strict("vectors"), strict("middles"), strict("lefts"),
        strict("rights"), nb::arg("options"), strict("order"));
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
