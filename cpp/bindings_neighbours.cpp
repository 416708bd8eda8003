#include <memory>

#include "bindings.hpp"
#include "neighbours.hpp"

namespace ramify {
namespace {

// Training instances over arrays that Python keeps; it holds references to them.
struct Neighbours {
    nb::object owners[5];
    NeighbourModel model;
    std::unique_ptr<NeighbourPool> pool = std::make_unique<NeighbourPool>();

    Neighbours(In1<int64_t> indptr, In1<int32_t> instances, In1<float> values, In1<int64_t> labels_indptr,
               In1<int32_t> labels, int64_t n_labels)
        : owners{indptr.cast(), instances.cast(), values.cast(), labels_indptr.cast(), labels.cast()} {
        const int64_t n = int64_t(labels_indptr.size()) - 1;
        model.columns = csr_view(indptr, instances, values, n);
        model.labels = {n, n_labels, labels_indptr.data(), labels.data(), nullptr};
    }
};

// Options of a query besides its features.
struct Request {
    NeighbourOptions options;
    std::optional<In1<uint8_t>> mask;
    std::optional<In1<int64_t>> indptr;
    std::optional<In1<int32_t>> labels;
    bool only = false;

    LabelFilter filter() const {
        return {mask ? mask->data() : nullptr, indptr ? indptr->data() : nullptr, labels ? labels->data() : nullptr, only};
    }
};

void check_answers(const Out2<int32_t>& labels, const Out2<float>& scores, size_t rows, int k) {
    const bool fits = labels.shape(0) == rows && scores.shape(0) == rows && labels.shape(1) == size_t(k);
    if (!fits || scores.shape(1) != size_t(k)) throw std::invalid_argument("the arrays for the answers have another shape");
}

void search(const Neighbours& known, In1<int64_t> indptr, In1<int32_t> indices, In1<float> data, const Request& request,
            Out2<int32_t> labels, Out2<float> scores, Progress progress) {
    const CsrView X = csr_view(indptr, indices, data, known.model.columns.rows);
    check_answers(labels, scores, size_t(X.rows), request.options.k);
    PythonMonitor monitor(std::move(progress));
    const LabelFilter filter = request.filter();
    nb::gil_scoped_release release;
    nearest_labels(known.model, *known.pool, X, request.options, filter, labels.data(), scores.data(), &monitor);
}

// One query without the cost of a matrix. Its features have not been checked before and are checked here.
void search_one(const Neighbours& known, In1<int32_t> indices, In1<float> data, const Request& request,
                Out2<int32_t> labels, Out2<float> scores) {
    if (indices.size() != data.size()) throw std::invalid_argument("as many feature numbers as values are needed");
    for (size_t i = 0; i < indices.size(); ++i)
        if (indices.data()[i] < 0 || indices.data()[i] >= known.model.columns.rows)
            throw std::invalid_argument("a feature number is out of range");
    check_answers(labels, scores, 1, request.options.k);
    const int64_t indptr[2] = {0, int64_t(indices.size())};
    const CsrView X{1, known.model.columns.rows, indptr, indices.data(), data.data()};
    nb::gil_scoped_release release;
    nearest_labels(known.model, *known.pool, X, request.options, {}, labels.data(), scores.data(), nullptr);
}

}  // namespace

void bind_neighbours(nb::module_& m) {
    nb::class_<Neighbours>(m, "Neighbours")
        .def(nb::init<In1<int64_t>, In1<int32_t>, In1<float>, In1<int64_t>, In1<int32_t>, int64_t>(),
             strict("indptr"), strict("instances"), strict("values"), strict("labels_indptr"), strict("labels"),
             nb::arg("n_labels"));
    nb::class_<Request>(m, "NeighbourRequest")
        .def("__init__",
             [](Request* self, int neighbours, double power, int k, int threads, std::optional<In1<uint8_t>> mask,
                std::optional<In1<int64_t>> indptr, std::optional<In1<int32_t>> labels, bool only) {
                 new (self) Request{{neighbours, power, k, threads}, std::move(mask), std::move(indptr),
                                    std::move(labels), only};
             },
             nb::kw_only(), nb::arg("neighbours"), nb::arg("power"), nb::arg("k"), nb::arg("threads"),
             strict("mask").none(), strict("indptr").none(), strict("labels").none(), nb::arg("only"));
    m.def("nearest_labels", &search, nb::arg("known"), strict("indptr"), strict("indices"), strict("data"),
          nb::arg("request"), strict("labels"), strict("scores"), nb::arg("progress").none());
    m.def("nearest_labels_one", &search_one, nb::arg("known"), strict("indices"), strict("data"), nb::arg("request"),
          strict("labels"), strict("scores"));
}

}  // namespace ramify
