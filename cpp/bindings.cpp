// The Python module. Kernels are in separate files without Python headers.
#include "bindings.hpp"
#include "isa.hpp"

NB_MODULE(_native, m) {
    m.def("isa", [] { return static_cast<int>(ramify::detect_isa()); });
    ramify::bind_features(m);
    ramify::bind_text(m);
    ramify::bind_lexical(m);
    ramify::bind_cluster(m);
    ramify::bind_train(m);
    ramify::bind_predict(m);
    ramify::bind_neighbours(m);
}
