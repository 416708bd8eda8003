"""Ids of files of predictions: each line belongs to the document with its id, in each format and of each type."""

import csv
import json

import numpy as np
import pytest

from ramify.data.predictions import read_predictions
from ramify.errors import DataFileError
from ramify.values import Dataset, as_csr

TEXTS = ["zero", "one", "two"]


def dataset(ids=None, texts=TEXTS):
    return Dataset(as_csr(np.eye(len(texts))), TEXTS[: len(texts)], texts=texts, ids=ids)


def written(path, ids):
    """A file in which the document with ids[i] has the label TEXTS[i]."""
    if path.suffix == ".jsonl":
        lines = [{"id": one, "labels": [{"label": text, "score": 1.0}]} for one, text in zip(ids, TEXTS, strict=False)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("id", "label", "score"), *zip(ids, TEXTS, [1.0] * len(ids), strict=False)])
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        import pyarrow

        labels = [[{"label": text, "score": 1.0}] for text in TEXTS[: len(ids)]]
        parquet.write_table(pyarrow.table({"id": ids, "labels": labels}), path)
    return path


def found(path, data):
    """The label of each text."""
    read = read_predictions(path, data)
    return {text: read.label_names[top[0]] for text, top in zip(read.texts, read.top.labels, strict=True)}


RIGHT = {text: text for text in TEXTS}
SWAPPED = {"two": "zero", "one": "one", "zero": "two"}


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv", "p.parquet"])
def test_documents_without_ids_are_found_by_their_numbers_in_each_order(tmp_path, name):
    assert found(written(tmp_path / name, [1, 2, 3]), dataset()) == RIGHT
    assert found(written(tmp_path / name, [3, 2, 1]), dataset()) == SWAPPED
    with pytest.raises(DataFileError, match=r"the id is '?0'?, but no document has it: documents without ids are"):
        read_predictions(written(tmp_path / name, [0, 1, 2]), dataset())


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv", "p.parquet"])
@pytest.mark.parametrize("kind", [int, str])
@pytest.mark.parametrize("own", [int, str])
def test_ids_are_compared_as_texts(tmp_path, name, kind, own):
    data = dataset([own(one) for one in (7, 8, 9)])
    assert found(written(tmp_path / name, [kind(one) for one in (9, 8, 7)]), data) == SWAPPED
    with pytest.raises(DataFileError, match=r"the id is '?1'?, but no document has it: correct it"):
        read_predictions(written(tmp_path / name, [kind(1), kind(8), kind(9)]), data)


def test_whole_numbers_that_are_read_as_fractions_are_found(tmp_path):
    assert found(written(tmp_path / "p.parquet", [9.0, 8.0, 7.0]), dataset([7, 8, 9])) == SWAPPED
    assert found(written(tmp_path / "p.jsonl", [0.25, 0.5, 0.75]), dataset(["0.25", "0.5", "0.75"])) == RIGHT


def test_an_id_that_different_documents_have_is_refused(tmp_path):
    with pytest.raises(DataFileError, match="the id is 7, but documents with different texts have it: give texts"):
        read_predictions(written(tmp_path / "p.jsonl", [7]), dataset([7, "7", 9]))
    assert found(written(tmp_path / "p.jsonl", [7]), dataset([7, "7", 9], ["zero", "zero", "two"])) == {"zero": "zero"}


def test_an_id_that_is_given_comes_before_a_number(tmp_path):
    assert found(written(tmp_path / "p.jsonl", [2, 3]), dataset(["2", None, None])) == {"zero": "zero", "two": "one"}


def test_a_line_without_id_among_others_is_refused(tmp_path):
    path = written(tmp_path / "p.jsonl", [1, None, 3])
    with pytest.raises(DataFileError, match=r"p\.jsonl:2: has neither an id nor a text, but other lines have: add one"):
        read_predictions(path, dataset())
