// Text → X. Texts are a tuple of str, read in place: no copy, no encoding.
#include "bindings_texts.hpp"

#include <memory>
#include <numeric>
#include <tuple>
#include <utility>

#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/tuple.h>

#include "text_vocabulary.hpp"
#include "text_weigh.hpp"

namespace ramify {

namespace {

using Table = In1<uint32_t>;

// (position of the first item that is not a str, or too long, or -1; whether all are ASCII)
std::pair<int64_t, bool> survey_texts(const Texts& texts) {
    bool ascii = true;
    int64_t position = 0;
    for (const nb::handle text : texts) {
        if (!PyUnicode_Check(text.ptr()) || PyUnicode_GET_LENGTH(text.ptr()) > kMaxTextLength)
            return {position, false};
        ascii = ascii && PyUnicode_IS_ASCII(text.ptr());
        ++position;
    }
    return {-1, ascii};
}

struct Columns {  // references to the arrays of a vocabulary
    std::optional<In1<int32_t>> slots;
    std::optional<In1<uint64_t>> hashes;
    ColumnMap map;
};

struct HeldWeighting {
    std::optional<In1<float>> idf;
    Weighting weighting;
};

class TextCorpus {
public:
    TextCorpus(const Texts& texts, Table table, const GramSettings& settings)
        : texts_(texts, settings.lowercase), table_(std::move(table)), corpus_(texts_.views, settings, table_.data()) {}

    // The number of distinct n-grams.
    int64_t count(bool keep_rows, int threads) {
        PythonMonitor monitor;
        nb::gil_scoped_release release;
        corpus_.count(keep_rows, threads, &monitor);
        const std::vector<int64_t> sizes = corpus_.part_sizes();
        return std::accumulate(sizes.begin(), sizes.end(), int64_t(0));
    }

    // (columns, columns of words, bytes of their names); column_terms are kept.
    std::tuple<size_t, int64_t, size_t> choose(int64_t min_documents, int64_t max_documents, int64_t max_terms, int threads) {
        {
            nb::gil_scoped_release release;
            vocabulary_ = choose_vocabulary(corpus_, {min_documents, max_documents, max_terms}, threads);
        }
        return {vocabulary_.terms.size(), vocabulary_.n_words, vocabulary_.names.blob.size()};
    }

    void fill_vocabulary(Out1<uint8_t> blob, Out1<int64_t> offsets, Out1<uint64_t> hashes, Out1<int64_t> documents, Out1<int64_t> occurrences) {
        std::copy(vocabulary_.names.blob.begin(), vocabulary_.names.blob.end(), blob.data());
        std::copy(vocabulary_.names.offsets.begin(), vocabulary_.names.offsets.end(), offsets.data());
        for (size_t column = 0; column < vocabulary_.terms.size(); ++column) {
            const Term& term = corpus_.term(vocabulary_.terms[column]);
            hashes.data()[column] = term.hash;
            documents.data()[column] = term.documents;
            occurrences.data()[column] = int64_t(term.frequency);
        }
        rows_ = std::make_unique<CorpusRows>(corpus_, vocabulary_.terms);
        vocabulary_ = Vocabulary{};
        corpus_.release_terms();
    }

    void fill_indptr(Out1<int64_t> indptr, int threads) const {
        nb::gil_scoped_release release;
        rows_->fill_indptr(indptr.data(), threads);
    }

    void fill_rows(const HeldWeighting& weighting, In1<int64_t> indptr, Out1<int32_t> indices, Out1<float> values,
                   int threads) const {
        nb::gil_scoped_release release;
        rows_->fill(weighting.weighting, indptr.data(), indices.data(), values.data(), threads);
    }

private:
    HeldTexts texts_;
    Table table_;
    Corpus corpus_;
    Vocabulary vocabulary_;
    std::unique_ptr<CorpusRows> rows_;
};

class TextRows {
public:
    TextRows(const Texts& texts, Table table, const GramSettings& settings)
        : texts_(texts, settings.lowercase), table_(std::move(table)), rows_(texts_.views, settings, table_.data()) {}

    int64_t weigh(const Columns& columns, const HeldWeighting& weighting, int threads) {
        PythonMonitor monitor;
        nb::gil_scoped_release release;
        rows_.weigh(columns.map, weighting.weighting, threads, &monitor);
        return rows_.nnz();
    }

    void fill(Out1<int64_t> indptr, Out1<int32_t> indices, Out1<float> values) {
        nb::gil_scoped_release release;
        rows_.fill(indptr.data(), indices.data(), values.data());
    }

private:
    HeldTexts texts_;
    Table table_;
    WeighedTexts rows_;
};

int64_t weigh_one(nb::str text, Table table, const GramSettings& settings, const Columns& columns,
                  const HeldWeighting& weighting, Out1<int32_t> indices, Out1<float> values) {
    const nb::object held = readable(text, settings.lowercase);
    GramReader reader(settings, table.data());
    return weigh_text(reader, view_of(held), columns.map, weighting.weighting, indices.data(), values.data(),
                      int64_t(indices.size()));
}

void count_hashed(const Texts& texts, Table table, const GramSettings& settings, const Columns& columns,
                  Out1<int64_t> frequencies, int threads) {
    const HeldTexts held(texts, settings.lowercase);
    PythonMonitor monitor;
    nb::gil_scoped_release release;
    count_columns(held.views, settings, table.data(), columns.map, frequencies.data(), threads, &monitor);
}

// The words that have no stem yet, in no particular order, and their numbers of occurrences.
std::pair<nb::typed<nb::list, nb::str>, nb::typed<nb::list, int64_t>> find_unstemmed(const Texts& texts, Table table,
                                                                                   const GramSettings& settings,
                                                                                   int threads) {
    const HeldTexts held(texts, settings.lowercase);
    WordCounts found;
    {
        PythonMonitor monitor;
        nb::gil_scoped_release release;
        found = words_without_stem(held.views, settings, table.data(), threads, &monitor);
    }
    nb::list words, counts;
    for (size_t i = 0; i < found.counts.size(); ++i) {
        const auto codes = found.words[i];
        words.append(nb::steal(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, codes.data(), Py_ssize_t(codes.size()))));
        counts.append(found.counts[i]);
    }
    return {words, counts};
}

std::vector<TextView> views_of(const Texts& texts) {
    std::vector<TextView> views;
    views.reserve(texts.size());
    for (const nb::handle text : texts) views.push_back(view_of(text));
    return views;
}

void bind_settings(nb::module_& m) {
    nb::class_<StemTable>(m, "TextStems")
        .def("__init__", [](StemTable* self, const Texts& words, const Texts& stems) {
            new (self) StemTable(views_of(words), views_of(stems));
        }, nb::arg("words"), nb::arg("stems"));
    nb::class_<GramSettings>(m, "GramSettings")
        .def("__init__",
             [](GramSettings* self, std::pair<int, int> words, std::pair<int, int> characters,
                std::pair<int, int> runs, bool within_words, bool lowercase, std::shared_ptr<StemTable> stems,
                std::shared_ptr<StemTable> more_stems) {
                 new (self) GramSettings{words.first, words.second, characters.first, characters.second,
                                         runs.first, runs.second, within_words, lowercase, stems, more_stems};
             },
             nb::arg("words"), nb::arg("characters"), nb::arg("runs"), nb::arg("within_words"), nb::arg("lowercase"),
             nb::arg("stems").none(), nb::arg("more_stems").none());
    nb::class_<Columns>(m, "TextColumns")
        .def("__init__", [](Columns* self, In1<int32_t> slots, In1<uint64_t> hashes) {
            const ColumnMap map{slots.data(), int64_t(slots.size()), hashes.data(), int64_t(hashes.size()), false};
            new (self) Columns{slots, hashes, map};
        }, strict("slots"), strict("hashes"))
        .def("__init__", [](Columns* self, int64_t n_columns, bool is_signed) {
            new (self) Columns{{}, {}, {nullptr, 0, nullptr, n_columns, is_signed}};
        }, nb::arg("n_columns"), nb::arg("is_signed"));
    nb::class_<HeldWeighting>(m, "TextWeighting")
        .def("__init__", [](HeldWeighting* self, std::optional<In1<float>> idf, bool sublinear, bool normalise) {
            new (self) HeldWeighting{idf, {idf ? idf->data() : nullptr, sublinear, normalise}};
        }, strict("idf").none(), nb::arg("sublinear"), nb::arg("normalise"));
}

}  // namespace

void bind_text(nb::module_& m) {
    bind_settings(m);
    nb::class_<TextCorpus>(m, "TextCorpus")
        .def(nb::init<Texts, Table, GramSettings>(), nb::arg("texts"), strict("table"), nb::arg("settings"))
        .def("count", &TextCorpus::count, nb::arg("keep_rows"), nb::arg("threads"))
        .def("choose", &TextCorpus::choose, nb::arg("min_documents"), nb::arg("max_documents"), nb::arg("max_terms"),
             nb::arg("threads"))
        .def("fill_vocabulary", &TextCorpus::fill_vocabulary, strict("blob"), strict("offsets"), strict("hashes"),
             strict("documents"), strict("occurrences"))
        .def("fill_indptr", &TextCorpus::fill_indptr, strict("indptr"), nb::arg("threads"))
        .def("fill_rows", &TextCorpus::fill_rows, nb::arg("weighting"), strict("indptr"), strict("indices"),
             strict("values"), nb::arg("threads"));
    nb::class_<TextRows>(m, "TextRows")
        .def(nb::init<Texts, Table, GramSettings>(), nb::arg("texts"), strict("table"), nb::arg("settings"))
        .def("weigh", &TextRows::weigh, nb::arg("columns"), nb::arg("weighting"), nb::arg("threads"))
        .def("fill", &TextRows::fill, strict("indptr"), strict("indices"), strict("values"));
    m.def("words_without_stem", &find_unstemmed, nb::arg("texts"), strict("table"), nb::arg("settings"),
          nb::arg("threads"));
    m.def("survey_texts", &survey_texts, nb::arg("texts"));
    m.def("weigh_text", &weigh_one, nb::arg("text"), strict("table"), nb::arg("settings"), nb::arg("columns"),
          nb::arg("weighting"), strict("indices"), strict("values"));
    m.def("count_hashed_columns", &count_hashed, nb::arg("texts"), strict("table"), nb::arg("settings"),
          nb::arg("columns"), strict("frequencies"), nb::arg("threads"));
    m.def("fill_text_slots", [](In1<uint64_t> hashes, Out1<int32_t> slots) {
        fill_slots(hashes.data(), int64_t(hashes.size()), slots.data(), int64_t(slots.size()));
    }, strict("hashes"), strict("slots"));
}

}  // namespace ramify
