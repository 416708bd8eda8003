// Names of labels in texts, and the trees that rank them. Sizes and ranges are checked in Python.
#include "bindings_texts.hpp"

#include <tuple>

#include <nanobind/stl/tuple.h>

#include "lexical.hpp"

namespace ramify {

namespace {

using Table = In1<uint32_t>;

class HeldIndex {  // keeps the arrays alive
public:
    HeldIndex(In1<uint64_t> hashes, In1<int64_t> key_ptr, In1<int64_t> entry_ptr, In1<int32_t> entry_tokens,
              In1<int32_t> key_places, In1<uint32_t> gaps, In1<int64_t> label_ptr, In1<int32_t> labels, In1<uint8_t> kinds,
              int32_t n_labels)
        : hashes_(hashes), key_ptr_(key_ptr), entry_ptr_(entry_ptr), entry_tokens_(entry_tokens),
          key_places_(key_places), gaps_(gaps), label_ptr_(label_ptr), labels_(labels), kinds_(kinds),
          index({hashes.data(), int64_t(hashes.size()), key_ptr.data(), entry_ptr.data(), entry_tokens.data(),
                 key_places.data(), gaps.size() ? gaps.data() : nullptr, int64_t(key_places.size()), label_ptr.data(),
                 labels.data(), kinds.data(), n_labels}) {}

private:
    In1<uint64_t> hashes_;
    In1<int64_t> key_ptr_, entry_ptr_;
    In1<int32_t> entry_tokens_, key_places_;
    In1<uint32_t> gaps_;
    In1<int64_t> label_ptr_;
    In1<int32_t> labels_;
    In1<uint8_t> kinds_;

public:
    LexicalIndex index;
};

class TextMatches {
public:
    TextMatches(const Texts& texts, Table table, const GramSettings& settings, const HeldIndex& index, int threads) {
        const HeldTexts held(texts, settings.lowercase);
        PythonMonitor monitor;
        nb::gil_scoped_release release;
        matched_.match(held.views, index.index, settings, table.data(), threads, &monitor);
    }

    int64_t size() const { return matched_.size(); }

    void fill(Out1<int64_t> indptr, Out1<int32_t> labels, Out2<float> features, Out1<int32_t> n_words) const {
        nb::gil_scoped_release release;
        matched_.fill(indptr.data(), labels.data(), features.data(), n_words.data());
    }

private:
    MatchedTexts matched_;
};

// (entry, begin and end in code points, whether it is a phrase) of every occurrence in one text.
using Occurrences = nb::typed<nb::list, std::tuple<int, int64_t, int64_t, bool>>;
Occurrences find_names(nb::str text, Table table, const GramSettings& settings, const HeldIndex& index) {
    const nb::object held = readable(text, settings.lowercase);
    LexicalMatcher matcher(index.index, settings, table.data());
    nb::list found;
    for (const Occurrence& one : matcher.find(view_of(held)))
        found.append(std::tuple<int, int64_t, int64_t, bool>(one.entry, matcher.place(one.first).first,
                                                            matcher.place(one.last).second, one.phrase));
    return Occurrences(found);
}

class NameWords {
public:
    NameWords(const Texts& texts, Table table, const GramSettings& settings) {
        const HeldTexts held(texts, settings.lowercase);
        nb::gil_scoped_release release;
        words_ = read_words(held.views, settings, table.data());
    }

    int64_t size() const { return int64_t(words_.hashes.size()); }

    void fill(Out1<int64_t> indptr, Out1<uint64_t> hashes, Out1<uint32_t> gaps) const {
        indptr.data()[0] = 0;
        std::copy(words_.ends.begin(), words_.ends.end(), indptr.data() + 1);
        std::copy(words_.hashes.begin(), words_.hashes.end(), hashes.data());
        std::copy(words_.gaps.begin(), words_.gaps.end(), gaps.data());
    }

private:
    TextWords words_;
};

void sum_rows(In1<int32_t> roots, In1<int32_t> features, In1<double> thresholds, In1<int32_t> left, In1<int32_t> right,
              In1<double> values, double baseline, In2<float> rows, Out1<double> out, int threads) {
    const TreeArrays trees{roots.data(),  int64_t(roots.size()), features.data(), thresholds.data(),
                           left.data(),   right.data(),          values.data(),   baseline};
    nb::gil_scoped_release release;
    sum_trees(trees, rows.data(), int64_t(rows.shape(0)), int64_t(rows.shape(1)), out.data(), threads);
}

}  // namespace

void bind_lexical(nb::module_& m) {
    m.attr("MATCH_FEATURES") = kMatchFeatures;
    nb::class_<HeldIndex>(m, "LexicalIndex")
        .def(nb::init<In1<uint64_t>, In1<int64_t>, In1<int64_t>, In1<int32_t>, In1<int32_t>, In1<uint32_t>, In1<int64_t>,
                      In1<int32_t>, In1<uint8_t>, int32_t>(),
             strict("hashes"), strict("key_ptr"), strict("entry_ptr"), strict("entry_tokens"), strict("key_places"),
             strict("gaps"), strict("label_ptr"), strict("labels"), strict("kinds"), nb::arg("n_labels"));
    nb::class_<TextMatches>(m, "TextMatches")
        .def(nb::init<const Texts&, Table, const GramSettings&, const HeldIndex&, int>(), nb::arg("texts"), strict("table"),
             nb::arg("settings"), nb::arg("index"), nb::arg("threads"))
        .def("size", &TextMatches::size)
        .def("fill", &TextMatches::fill, strict("indptr"), strict("labels"), strict("features"), strict("n_words"));
    nb::class_<NameWords>(m, "NameWords")
        .def(nb::init<Texts, Table, GramSettings>(), nb::arg("texts"), strict("table"), nb::arg("settings"))
        .def("size", &NameWords::size)
        .def("fill", &NameWords::fill, strict("indptr"), strict("hashes"), strict("gaps"));
    m.def("find_names", &find_names, nb::arg("text"), strict("table"), nb::arg("settings"), nb::arg("index"));
    m.def("sum_trees", &sum_rows, strict("roots"), strict("features"), strict("thresholds"), strict("left"),
          strict("right"), strict("values"), nb::arg("baseline"), strict("rows"), strict("out"), nb::arg("threads"));
}

}  // namespace ramify
