#include <algorithm>

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "train.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace ramify {
namespace {

// Returns freed heap memory to the system (malloc_trim), including that of threads that have ended.
void give_back_memory() {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

// Weights of trained levels: first their sizes, then copies into arrays that Python allocates.
struct TrainedLevels {
    std::vector<std::vector<BlockWeights>> levels;

    std::pair<int64_t, int64_t> sizes(size_t level) const {
        int64_t rows = 0, entries = 0;
        for (const BlockWeights& block : levels.at(level)) {
            rows += int64_t(block.features.size());
            entries += int64_t(block.values.size());
        }
        return {rows, entries};
    }

    // Moves one level out; its native copy is freed block by block.
    void take(size_t level, Out1<int64_t> block_rows, Out1<int32_t> features, Out1<int64_t> row_entries,
              Out1<uint8_t> children, Out1<float> values) {
        int64_t row = 0, entry = 0, moved = 0;
        block_rows(0) = 0;
        row_entries(0) = 0;
        auto& blocks = levels.at(level);
        // seldom, so that large levels are trimmed only a few dozen times
        const int64_t at_once = std::max(int64_t(1) << 18, int64_t(values.size()) / 32);
        give_back_memory();  // of the training that has just ended
        for (size_t b = 0; b < blocks.size(); ++b) {
            BlockWeights block = std::move(blocks[b]);
            for (size_t i = 0; i < block.features.size(); ++i) {
                features(size_t(row)) = block.features[i];
                row_entries(size_t(row + 1)) = row_entries(size_t(row)) + block.counts[i];
                ++row;
            }
            std::copy(block.children.begin(), block.children.end(), children.data() + entry);
            std::copy(block.values.begin(), block.values.end(), values.data() + entry);
            entry += int64_t(block.values.size());
            moved += int64_t(block.values.size());
            block_rows(b + 1) = row;
            if (moved > at_once || b + 1 == blocks.size()) {
                give_back_memory();
                moved = 0;
            }
        }
    }
};

struct LevelArrays {
    In1<int64_t> block_begin;
    In1<int32_t> block_parent;
    In1<int64_t> rows_indptr;
    In1<int32_t> rows_indices;
    In1<float> rows_factor;  // empty: all 1
    In1<int64_t> positives_indptr;
    In1<int32_t> positives_indices;
    In1<float> positives_relevance;  // empty: all 1
    Out1<float> bias;
    std::optional<Out2<float>> dense;  // weights of the dense block, shape (nodes, n_dense)
    int64_t number, first_child;       // as in LevelTask

    LevelTask task(int64_t n_instances) const {
        auto pattern = [&](const In1<int64_t>& indptr, const In1<int32_t>& indices, const In1<float>& data) {
            return CsrView{int64_t(indptr.size()) - 1, n_instances, indptr.data(), indices.data(),
                           data.size() == 0 ? nullptr : data.data()};
        };
        return {int64_t(block_parent.size()), block_begin.data(), block_parent.data(),
                pattern(rows_indptr, rows_indices, rows_factor),
                pattern(positives_indptr, positives_indices, positives_relevance), bias.data(),
                dense ? dense->data() : nullptr, number, first_child};
    }
};

TrainedLevels train(const FeatureArrays& features, In1<float> instance_weights, const std::vector<LevelArrays*>& levels, const TrainOptions& options,
                    Progress progress) {
    const FeatureView X = features.view();
    std::vector<LevelTask> tasks;
    for (const LevelArrays* level : levels) tasks.push_back(level->task(X.rows));
    PythonMonitor monitor(std::move(progress));
    nb::gil_scoped_release release;
    give_back_memory();  // of the stages before
    return {train_levels(X, instance_weights.size() == 0 ? nullptr : instance_weights.data(), tasks, options,
                         solvers_for(detect_isa(), options.halves < 0 ? halves_suffice(X, options.solver) : options.halves != 0), &monitor)};
}

}  // namespace

void bind_train(nb::module_& m) {
    nb::class_<TrainedLevels>(m, "TrainedLevels")
        .def("sizes", &TrainedLevels::sizes, nb::arg("level"))
        .def("take", &TrainedLevels::take, nb::arg("level"), strict("block_rows"), strict("features"),
             strict("row_entries"), strict("children"), strict("values"));
    nb::class_<LevelArrays>(m, "LevelArrays")
        .def("__init__",
             [](LevelArrays* self, In1<int64_t> block_begin, In1<int32_t> block_parent, In1<int64_t> rows_indptr,
                In1<int32_t> rows_indices, In1<float> rows_factor, In1<int64_t> positives_indptr,
                In1<int32_t> positives_indices, In1<float> positives_relevance, Out1<float> bias,
                std::optional<Out2<float>> dense, int64_t number, int64_t first_child) {
                 new (self) LevelArrays{block_begin,       block_parent,        rows_indptr, rows_indices, rows_factor, positives_indptr,
                                        positives_indices, positives_relevance, bias,        dense,        number,      first_child};
             },
             strict("block_begin"), strict("block_parent"), strict("rows_indptr"), strict("rows_indices"),
             strict("rows_factor"), strict("positives_indptr"), strict("positives_indices"),
             strict("positives_relevance"), strict("bias"), strict("dense").none(), nb::arg("number"), nb::arg("first_child"));
    nb::class_<TrainOptions>(m, "TrainOptions")
        .def("__init__",
             [](TrainOptions* self, int loss, float cost_positive, float cost_negative, float epsilon, int max_passes,
                float threshold, int64_t max_weights, uint64_t seed, int threads, int halves, std::string folder) {
                 new (self) TrainOptions{{static_cast<Loss>(loss), cost_positive, cost_negative, epsilon, max_passes},
                                         threshold, max_weights, seed, threads, halves};
                 self->folder = std::move(folder);
             },
             nb::kw_only(), nb::arg("loss"), nb::arg("cost_positive"), nb::arg("cost_negative"), nb::arg("epsilon"),
             nb::arg("max_passes"), nb::arg("threshold"), nb::arg("max_weights"), nb::arg("seed"), nb::arg("threads"), nb::arg("halves"), nb::arg("folder"));
    m.def("halves_suffice", [](const FeatureArrays& features, const TrainOptions& options) { return halves_suffice(features.view(), options.solver); },
          nb::arg("features"), nb::arg("options"));
    m.def("train", &train, nb::arg("features"), strict("instance_weights"), nb::arg("levels"), nb::arg("options"), nb::arg("progress").none());
}

}  // namespace ramify
