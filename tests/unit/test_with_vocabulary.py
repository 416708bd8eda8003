"""Labels of data as concepts of a vocabulary."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.data import Fields, read, with_vocabulary
from ramify.errors import DataFileError, InputError, RamifyWarning
from ramify.values import Dataset, Vocabulary

VOCABULARY = Vocabulary(
    uris=["u:0", "u:1", "u:2", "u:3"],
    names={"en": ["Bank", "Bank", "River", "Old"], "fi": ["pankki", "penkka", "", ""]},
    notations=["1", "", "", ""],
    broader=np.array([[1, 2], [3, 2]], np.int32),
    deprecated=np.array([False, False, False, True]),
)


def dataset(*rows):
    names = sorted({name for row in rows for name in row})
    Y = sp.csr_matrix(np.array([[name in row for name in names] for row in rows], np.float32))
    return Dataset(Y=Y, label_names=names, texts=["text"] * len(rows))


def test_labels_are_found_by_uri_notation_and_name():
    named = with_vocabulary(dataset(["1"], ["<u:1>", "penkka"], ["River"]), VOCABULARY, "en")
    assert named.label_names == ["Bank (u:0)", "Bank (u:1)", "River"]
    assert named.label_keys == ["u:0", "u:1", "u:2"]
    assert named.Y.toarray().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert named.vocabulary.broader.tolist() == [[1, 2]]
    assert named.take(np.array([1])).vocabulary is named.vocabulary


def test_deprecated_concepts_are_left_out_with_a_warning():
    with pytest.warns(RamifyWarning, match="1 label of the data that the vocabulary marks as deprecated"):
        named = with_vocabulary(dataset(["u:3", "u:2"], ["u:0"]), VOCABULARY, "fi")
    assert named.label_names == ["pankki", "penkka", "u:2"]
    assert named.Y.toarray().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_unknown_labels_are_refused_or_dropped():
    given = dataset(["u:9", "u:0"], ["u:8"])
    with pytest.raises(InputError, match="lacks 2 labels of 3, such as 'u:8'"):
        with_vocabulary(given, VOCABULARY, "en")
    with pytest.warns(RamifyWarning, match="2 labels of 3, such as 'u:8', which the vocabulary lacks"):
        named = with_vocabulary(given, VOCABULARY, "en", drop_unknown=True)
    assert named.Y.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]


def test_a_name_of_several_concepts_is_unknown():
    with pytest.raises(InputError, match="such as 'Bank'"):
        with_vocabulary(dataset(["Bank", "u:0"]), VOCABULARY, "en")


def test_a_corpus_of_another_vocabulary_is_refused():
    with pytest.raises(InputError, match="none of the labels of the data, such as 'http://y/1', is a concept"):
        with_vocabulary(dataset(["http://y/1", "http://y/2"]), VOCABULARY, "en", drop_unknown=True)


def test_an_error_names_the_file_of_the_vocabulary(tmp_path):
    (tmp_path / "v.tsv").write_text("<u:0>\tBank\n<u:1>\tRiver\n")
    (tmp_path / "c.tsv").write_text("text\t<u:0> <u:7>\n")
    with pytest.raises(DataFileError, match=r"v\.tsv: the vocabulary lacks 1 label of 2, such as 'u:7'"):
        read(tmp_path / "c.tsv", fields=Fields(vocabulary_path=tmp_path / "v.tsv"))
    (tmp_path / "v.csv").write_text("uri,label_en,label_fi\nu:0,Bank,pankki\nu:7,River,\n")
    with pytest.raises(DataFileError, match=r"v\.csv: the vocabulary has no names in 'sv'"):
        read(tmp_path / "c.tsv", fields=Fields(vocabulary_path=tmp_path / "v.csv", language="sv"))


@pytest.mark.parametrize(
    "fields", [{"language": "en"}, {"drop_unknown": True}, {"names_path": "n", "vocabulary_path": "v"}]
)
def test_fields_that_contradict_each_other_are_refused(fields):
    with pytest.raises(InputError, match="vocabulary"):
        Fields(**fields)
