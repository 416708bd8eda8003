#include "bindings.hpp"

namespace ramify {

void bind_predict(nb::module_&) {}

}  // namespace ramify
