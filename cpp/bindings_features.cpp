#include "bindings.hpp"

namespace ramify {

void bind_features(nb::module_& m) {
    nb::class_<FeatureArrays>(m, "FeatureArrays")
        .def("__init__",
             [](FeatureArrays* self, In1<int64_t> indptr, In1<int32_t> indices, In1<float> data, int64_t n_columns,
                std::optional<In2<float>> dense, std::optional<In1<float>> dense_scale) {
                 new (self) FeatureArrays{indptr, indices, data, n_columns, dense, dense_scale};
             },
             strict("indptr"), strict("indices"), strict("data"), nb::arg("n_columns"), strict("dense").none(),
             strict("dense_scale").none());
}

}  // namespace ramify
