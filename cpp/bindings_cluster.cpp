#include "bindings.hpp"

namespace ramify {

void bind_cluster(nb::module_&) {}

}  // namespace ramify
