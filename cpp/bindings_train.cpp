#include "bindings.hpp"

namespace ramify {

void bind_train(nb::module_&) {}

}  // namespace ramify
