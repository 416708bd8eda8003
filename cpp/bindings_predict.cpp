#include <nanobind/stl/vector.h>

#include "beam.hpp"
#include <limits>

#include "bindings.hpp"
#include "pack.hpp"

namespace ramify {
namespace {

// A packed level over arrays that Python keeps; it holds references to them.
struct LevelHandle {
    std::vector<nb::object> owners;
    PackedLevel level;
};

// Integers of one level in the order: n_nodes, n_parents, n_blocks, n_words, n_rows, n_entries, hash_bits, wide, precision.
PackedLevel sized_level(const std::vector<int64_t>& sizes) {
    PackedLevel level;
    level.n_nodes = sizes.at(0);
    level.n_parents = sizes.at(1);
    level.n_blocks = sizes.at(2);
    level.n_words = sizes.at(3);
    level.n_rows = sizes.at(4);
    level.n_entries = sizes.at(5);
    level.hash_bits = int(sizes.at(6));
    level.wide_keys = sizes.at(7) != 0;
    level.precision = static_cast<Precision>(sizes.at(8));
    return level;
}

// Weights of a dense block; `numbers` are the bytes of its weights.
struct DenseWeights {
    int64_t n_dense;
    In1<int64_t> block_dense;
    In1<uint8_t> numbers;
    In1<float> scale;
};

void add_dense(LevelHandle& handle, DenseWeights& dense) {
    PackedLevel& level = handle.level;
    level.n_dense = dense.n_dense;
    level.block_dense = dense.block_dense.data();
    level.dense = dense.numbers.data();
    level.dense_scale = dense.scale.data();
    handle.owners.insert(handle.owners.end(), {dense.block_dense.cast(), dense.numbers.cast(), dense.scale.cast()});
}

LevelHandle make_level(const std::vector<int64_t>& sizes, In1<int64_t> parent_blocks, In1<int64_t> block_begin,
                       In1<int64_t> block_words, In1<int64_t> block_rows, In1<int64_t> block_entries,
                       In1<uint64_t> words, In1<uint8_t> keys, In1<uint8_t> counts, In1<uint8_t> entries,
                       In1<float> scale, In1<float> bias, DenseWeights* dense) {
    LevelHandle handle{{}, sized_level(sizes)};
    PackedLevel& level = handle.level;
    level.parent_blocks = parent_blocks.data();
    level.block_begin = block_begin.data();
    level.block_words = block_words.data();
    level.block_rows = block_rows.data();
    level.block_entries = block_entries.data();
    level.words = reinterpret_cast<const HashWord*>(words.data());
    level.keys = keys.data();
    level.counts = counts.data();
    level.entries = entries.data();
    level.scale = scale.data();
    level.bias = bias.data();
    handle.owners = {parent_blocks.cast(), block_begin.cast(), block_words.cast(), block_rows.cast(),
                     block_entries.cast(), words.cast(),       keys.cast(),        counts.cast(),
                     entries.cast(),       scale.cast(),       bias.cast()};
    if (dense != nullptr) add_dense(handle, *dense);
    return handle;
}

PlainLevel plain_level(const In1<int64_t>& block_begin, const In1<int64_t>& block_rows, const In1<int32_t>& features,
                       const In1<int64_t>& row_entries, const In1<uint8_t>& children, const In1<float>& values,
                       int64_t n_nodes) {
    return {n_nodes,          int64_t(block_begin.size()) - 1, block_begin.data(), block_rows.data(), features.data(),
            row_entries.data(), children.data(),                 values.data()};
}

// Arguments of both calls of pack: the first computes the sizes, the second fills allocated arrays.
struct Packing {
    PackPlan plan;
    int64_t words() const { return plan.block_words.back(); }
};

Packing plan(In1<int64_t> block_begin, In1<int64_t> block_rows, In1<int32_t> features, In1<int64_t> row_entries,
             In1<uint8_t> children, In1<float> values, int64_t n_nodes, int hash_bits) {
    const PlainLevel level = plain_level(block_begin, block_rows, features, row_entries, children, values, n_nodes);
    nb::gil_scoped_release release;
    return {plan_pack(level, hash_bits)};
}

void fill(const Packing& packing, In1<int64_t> block_begin, In1<int64_t> block_rows, In1<int32_t> features,
          In1<int64_t> row_entries, In1<uint8_t> children, In1<float> values, int64_t n_nodes, int hash_bits,
          int precision, Out1<int64_t> block_words, Out1<uint64_t> words, Out1<uint8_t> keys, Out1<uint8_t> counts,
          Out1<uint8_t> entries, Out1<float> scale, Out1<int64_t> block_entries) {
    const PlainLevel level = plain_level(block_begin, block_rows, features, row_entries, children, values, n_nodes);
    std::copy(packing.plan.block_words.begin(), packing.plan.block_words.end(), block_words.data());
    const PackedOut out{reinterpret_cast<HashWord*>(words.data()), keys.data(),  counts.data(), entries.data(),
                        scale.data(),                              block_entries.data()};
    nb::gil_scoped_release release;
    pack(level, packing.plan, hash_bits, static_cast<Precision>(precision), out);
}

void take_apart(const LevelHandle& handle, Out1<int32_t> features, Out1<int64_t> row_entries, Out1<uint8_t> children,
                Out1<float> values) {
    nb::gil_scoped_release release;
    unpack(handle.level, {features.data(), row_entries.data(), children.data(), values.data()});
}

struct Searcher {
    std::vector<nb::object> owners;
    SearchModel model;
    SingleSearches singles{model};

    using Levels = nb::typed<nb::list, LevelHandle>;
    using Parents = nb::typed<nb::list, In1<int32_t>>;
    using Masks = nb::typed<nb::list, std::optional<In1<uint8_t>>>;

    Searcher(Levels levels, Parents parents, Masks allowed, In1<int32_t> leaf_labels, int64_t n_labels,
             std::optional<In1<float>> log_bias, int max_copies) {
        for (nb::handle level : levels) {
            owners.push_back(nb::borrow(level));
            model.levels.push_back(nb::cast<LevelHandle&>(level).level);
        }
        for (nb::handle parent : parents) model.parents.push_back(keep<int32_t>(parent));
        for (nb::handle mask : allowed) model.allowed.push_back(mask.is_none() ? nullptr : keep<uint8_t>(mask));
        owners.push_back(leaf_labels.cast());
        model.leaf_labels = leaf_labels.data();
        model.n_labels = n_labels;
        if (log_bias) owners.push_back(log_bias->cast());
        model.leaf_bias = log_bias ? log_bias->data() : nullptr;
        model.max_copies = max_copies;
    }

    template <class T>
    const T* keep(nb::handle array) {
        owners.push_back(nb::borrow(array));
        return nb::cast<In1<T>>(array, false).data();
    }
};

void check_out(const Out2<int32_t>& labels, const Out2<float>& scores, size_t rows, int k) {
    const bool fits = labels.shape(0) == rows && scores.shape(0) == rows && labels.shape(1) == size_t(k);
    if (!fits || scores.shape(1) != size_t(k)) throw std::invalid_argument("the arrays for the answers have another shape");
}

// The kernels read as many dense values of a document as the model has dense weights.
void check_dense(const Searcher& searcher, int64_t n_dense) {
    for (const PackedLevel& level : searcher.model.levels)
        if (level.n_dense != n_dense) throw std::invalid_argument("the dense block has another width than the model");
}

void search(const Searcher& searcher, const FeatureArrays& features, const SearchOptions& options, In1<int64_t> forbidden_indptr, In1<int32_t> forbidden_labels,
            Out2<int32_t> labels, Out2<float> scores, Progress progress) {
    const FeatureView X = features.view();
    check_dense(searcher, X.n_dense);
    check_out(labels, scores, size_t(X.rows), options.k);
    const Forbidden forbidden{forbidden_indptr.size() == 0 ? nullptr : forbidden_indptr.data(), forbidden_labels.data()};
    PythonMonitor monitor(std::move(progress));
    nb::gil_scoped_release release;
    beam_search(searcher.model, X, options, forbidden, labels.data(), scores.data(), &monitor);
}

using DenseRow = std::optional<In1<float>>;

// One document without the cost of a matrix: its features and values directly, and its dense block, times `dense_scale`.
void search_one(Searcher& searcher, In1<int32_t> indices, In1<float> data, DenseRow dense, float dense_scale,
                const SearchOptions& options, Out2<int32_t> labels, Out2<float> scores) {
    if (indices.size() != data.size()) throw std::invalid_argument("as many feature numbers as values are needed");
    check_out(labels, scores, 1, options.k);
    const int64_t indptr[2] = {0, int64_t(indices.size())};
    FeatureView X(CsrView{1, 0, indptr, indices.data(), data.data()});
    if (dense) X = {X, int64_t(dense->size()), dense->data(), &dense_scale};
    check_dense(searcher, X.n_dense);
    nb::gil_scoped_release release;
    searcher.singles.search(X, options, labels.data(), scores.data());
}

// Whether a row is as the kernels require it: ascending features below the width, finite values other than 0, and a
// squared length within `slack` of 1.
bool is_plain(In1<int32_t> indices, In1<float> data, int64_t width, float slack) {
    int32_t last = -1;
    float square = 0.0f;
    for (size_t i = 0; i < indices.size(); ++i) {
        if (indices(i) <= last || data(i) == 0.0f) return false;
        last = indices(i);
        square += data(i) * data(i);
    }
    const float distance = square > 1.0f ? square - 1.0f : 1.0f - square;
    return last < width && square < std::numeric_limits<float>::infinity() && distance <= slack;
}

// search_one with checks; false: the row is not plain, and nothing has been searched.
bool search_row(Searcher& searcher, In1<int32_t> indices, In1<float> data, int64_t length, int64_t n_columns, float slack,
                const SearchOptions& options, Out2<int32_t> labels, Out2<float> scores) {
    const bool whole = indices.size() == size_t(length) && data.size() == size_t(length);
    if (!whole || !is_plain(indices, data, n_columns, slack)) return false;
    search_one(searcher, indices, data, std::nullopt, 1.0f, options, labels, scores);
    return true;
}

void score(const Searcher& searcher, const FeatureArrays& features, In1<int64_t> leaves_indptr, In1<int32_t> leaves, const SearchOptions& options, Out1<float> scores,
           Out1<float> margins, Progress progress) {
    const FeatureView X = features.view();
    check_dense(searcher, X.n_dense);
    PythonMonitor monitor(std::move(progress));
    nb::gil_scoped_release release;
    score_leaves(searcher.model, X, leaves_indptr.data(), leaves.data(), options, scores.data(), margins.data(), &monitor);
}

void merge(In1<int64_t> pointers, In1<int32_t> leaves, In1<float> scores, In1<float> margins, const SearchOptions& options,
           Out1<float> out) {
    nb::gil_scoped_release release;
    merge_leaves({pointers.data(), leaves.data(), scores.data(), margins.data()}, int64_t(out.size()), options, out.data());
}

}  // namespace

void bind_predict(nb::module_& m) {
    nb::class_<LevelHandle>(m, "PackedLevel");
    nb::class_<DenseWeights>(m, "DenseWeights")
        .def("__init__",
             [](DenseWeights* self, int64_t n_dense, In1<int64_t> block_dense, In1<uint8_t> numbers, In1<float> scale) {
                 new (self) DenseWeights{n_dense, block_dense, numbers, scale};
             },
             nb::arg("n_dense"), strict("block_dense"), strict("numbers"), strict("scale"));
    nb::class_<Packing>(m, "Packing").def_prop_ro("words", &Packing::words);
    nb::class_<SearchOptions>(m, "SearchOptions")
        .def("__init__",
             [](SearchOptions* self, int beam, int k, int transform, bool log_scores, float path_weight, int copies,
                int threads) {
                 new (self) SearchOptions{beam,        k, static_cast<Transform>(transform), log_scores,
                                          path_weight, static_cast<Copies>(copies),          threads};
             },
             nb::kw_only(), nb::arg("beam"), nb::arg("k"), nb::arg("transform"), nb::arg("log_scores"),
             nb::arg("path_weight"), nb::arg("copies"), nb::arg("threads"));
    nb::class_<Searcher>(m, "Searcher")
        .def(nb::init<Searcher::Levels, Searcher::Parents, Searcher::Masks, In1<int32_t>, int64_t,
                      std::optional<In1<float>>, int>(),
             nb::arg("levels"), nb::arg("parents"), nb::arg("allowed"), strict("leaf_labels"), nb::arg("n_labels"),
             strict("log_bias").none(), nb::arg("max_copies"));
    m.def("make_level", &make_level, nb::arg("sizes"), strict("parent_blocks"), strict("block_begin"),
          strict("block_words"), strict("block_rows"), strict("block_entries"), strict("words"), strict("keys"),
          strict("counts"), strict("entries"), strict("scale"), strict("bias"), nb::arg("dense").none());
    m.def("plan_pack", &plan, strict("block_begin"), strict("block_rows"), strict("features"), strict("row_entries"),
          strict("children"), strict("values"), nb::arg("n_nodes"), nb::arg("hash_bits"));
    m.def("fill_pack", &fill, nb::arg("packing"), strict("block_begin"), strict("block_rows"), strict("features"),
          strict("row_entries"), strict("children"), strict("values"), nb::arg("n_nodes"), nb::arg("hash_bits"),
          nb::arg("precision"), strict("block_words"), strict("words"), strict("keys"), strict("counts"),
          strict("entries"), strict("scale"), strict("block_entries"));
    m.def("unpack", &take_apart, nb::arg("level"), strict("features"), strict("row_entries"), strict("children"),
          strict("values"));
    m.def("search", &search, nb::arg("searcher"), nb::arg("features"), nb::arg("options"), strict("forbidden_indptr"), strict("forbidden_labels"),
          strict("labels"), strict("scores"), nb::arg("progress").none());
    m.def("search_one", &search_one, nb::arg("searcher"), strict("indices"), strict("data"), strict("dense").none(),
          nb::arg("dense_scale"), nb::arg("options"), strict("labels"), strict("scores"));
    m.def("search_row", &search_row, nb::arg("searcher"), strict("indices"), strict("data"), nb::arg("length"),
          nb::arg("n_columns"), nb::arg("slack"), nb::arg("options"), strict("labels"), strict("scores"));
    m.def("merge", &merge, strict("pointers"), strict("leaves"), strict("scores"), strict("margins"),
          nb::arg("options"), strict("out"));
    m.def("score", &score, nb::arg("searcher"), nb::arg("features"), strict("leaves_indptr"), strict("leaves"), nb::arg("options"), strict("scores"),
          strict("margins"), nb::arg("progress").none());
}

}  // namespace ramify
