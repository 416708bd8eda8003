// Texts that Python passes to kernels: a tuple of str, read in place.
#pragma once
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "text_document.hpp"

namespace ramify {

// Lower-casing maps one code point to one, with two exceptions: İ becomes two, and Σ depends on its neighbours. Python
// lowers texts with them; lowering once more changes nothing.
inline bool needs_python_lower(PyObject* text) {
    if (PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND) return false;
    const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    return PyUnicode_FindChar(text, 0x130, 0, length, 1) >= 0 || PyUnicode_FindChar(text, 0x3A3, 0, length, 1) >= 0;
}

// A text and the reference that keeps it alive while the GIL is released.
inline nb::object readable(nb::handle text, bool lowercase) {
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text.ptr()) != 0) throw nb::python_error();
#endif
    if (lowercase && needs_python_lower(text.ptr())) return text.attr("lower")();
    return nb::borrow(text);
}

inline TextView view_of(nb::handle text) {
    return {PyUnicode_DATA(text.ptr()), PyUnicode_GET_LENGTH(text.ptr()), int32_t(PyUnicode_KIND(text.ptr()))};
}

struct HeldTexts {
    HeldTexts(const Texts& texts, bool lowercase) : kept(texts) {
        views.reserve(texts.size());
        for (const nb::handle text : texts) {
            nb::object held = readable(text, lowercase);
            views.push_back(view_of(held));
            if (!held.is(text)) lowered.push_back(std::move(held));
        }
    }
    Texts kept;
    std::vector<nb::object> lowered;
    std::vector<TextView> views;
};

}  // namespace ramify
