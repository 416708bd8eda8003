"""Texts of a set: samples of the training documents, all test documents, held-out parts without test documents."""

import gzip
import json

import numpy as np
import pytest
import scipy.sparse as sp

from racing import text_sets
from racing.matrices import MissingDataError
from racing.text_sets import held_out_texts, names_of, prepare_texts, texts_of

N = 40


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A set with a label per document; a test document has a label of training, or one of its own only."""
    monkeypatch.setattr(text_sets, "CACHE", tmp_path / "cache")
    rows = {
        "train": [{"text": f"word{i % 7} document {i}", "labels": [f"l{i}", "common"]} for i in range(N)],
        "test": [{"text": f"word{i % 7} test {i}", "labels": [f"l{i}"]} for i in range(2 * N)],
    }
    folder = tmp_path / "data" / "small"
    folder.mkdir(parents=True)
    for part, lines in rows.items():
        with gzip.open(folder / f"{part}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return tmp_path / "data"


@pytest.mark.parametrize(("name", "documents"), [("small", N), ("small:10", 10), ("small:0.5", N // 2)])
def test_labels_without_a_training_document_are_left_out(data, name, documents):
    found = prepare_texts(name, data)
    assert found.X.shape[0] == found.Y.shape[0] == len(texts_of(found, "train")) == documents
    assert found.Y.shape[1] == documents + 1  # each has a label of its own, and the common one
    assert np.diff(found.Y_test.indptr).tolist() == [1] * documents
    own = {text.split()[-1] for text in texts_of(found, "train")}
    assert {text.split()[-1] for text in texts_of(found, "test")} == own


def test_a_sample_is_always_the_same(data, tmp_path, monkeypatch):
    first = prepare_texts("small:10", data)
    monkeypatch.setattr(text_sets, "CACHE", tmp_path / "other")
    assert prepare_texts("small:10", data).fingerprint == first.fingerprint
    assert prepare_texts("small:11", data).fingerprint != first.fingerprint


def test_a_held_out_part_is_of_training_documents_that_the_rest_lacks(data):
    whole = prepare_texts("small", data)
    part = held_out_texts(whole, 0)
    rest, held = texts_of(part, "train"), texts_of(part, "test")
    assert sorted(rest + held) == sorted(texts_of(whole, "train"))
    assert len(held) == N // 5
    assert part.X_test.shape == (N // 5, part.X.shape[1])
    assert held_out_texts(whole, 1).fingerprint != part.fingerprint


def test_a_folder_is_not_made_again(data, monkeypatch):
    prepare_texts("small", data)
    monkeypatch.setattr(text_sets, "_written", lambda *parts: pytest.fail("made again"))
    assert sp.issparse(prepare_texts("small", data).X)


def test_a_set_that_is_not_there(data):
    with pytest.raises(MissingDataError, match=r"no texts in .*absent; give the folder"):
        prepare_texts("absent:10", data)


def test_every_label_of_both_files_can_be_kept(data):
    found = prepare_texts("small:10", data, every_label=True)
    names = names_of(found)
    assert sorted(names) == sorted({f"l{i}" for i in range(2 * N)} | {"common"})
    assert found.Y.shape == (10, len(names)) and found.Y_test.shape == (2 * N, len(names))
    for part, Y in (("train", found.Y), ("test", found.Y_test)):
        for text, row in zip(texts_of(found, part), Y, strict=True):
            assert f"l{text.split()[-1]}" in {names[label] for label in row.indices}
    assert prepare_texts("small:10", data).folder != found.folder
