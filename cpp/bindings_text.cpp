#include "bindings.hpp"

namespace ramify {

void bind_text(nb::module_&) {}

}  // namespace ramify
