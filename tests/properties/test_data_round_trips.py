"""What is written reads back the same, in every format and from every format to every other of its family."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ramify.data import Fields, convert, read, write
from ramify.errors import DataFileError
from ramify.values import Dataset

TEXT_FILES = ["d.jsonl", "d.jsonl.gz", "d.csv", "d.csv.gz", "d.tsv", "d.parquet"]
FEATURE_FILES = ["d.txt", "d.txt.gz", "d.npz"]
FIELDS = Fields(separator="|")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
names = texts.map(lambda name: name.replace("|", "/").strip()).filter(bool)
documents = st.lists(st.tuples(texts, st.sets(names, max_size=4)), min_size=1, max_size=6).filter(
    lambda rows: any(labels for _, labels in rows)
)
TRICKY = [
    ('"quoted", tab\t, line\nbreak\r\nand \r and\u2028more', {"a,b;c", 'say "hi"', "tab\there"}),
    ("עברית العربية \U0001f600\U0001f469\u200d\U0001f52c", {"שלום", "ß", "日本", "new\nline"}),
    ("", set()),
]


def dataset_of(rows: list[tuple[str, set[str]]]) -> Dataset:
    label_names = sorted(set().union(*(labels for _, labels in rows)))
    Y = [[name in labels for name in label_names] for _, labels in rows]
    return Dataset(Y=sp.csr_matrix(np.array(Y, np.float32)), label_names=label_names, texts=[text for text, _ in rows])


def assert_same(one: Dataset, other: Dataset) -> None:
    assert list(one.label_names) == list(other.label_names)
    assert one.texts == other.texts
    np.testing.assert_array_equal(one.Y.toarray(), other.Y.toarray())
    if one.X is not None:
        np.testing.assert_array_equal(one.X.toarray(), other.X.toarray())


def skip_without_pyarrow(*files: str) -> None:
    if any(file.endswith(".parquet") for file in files):
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("file", TEXT_FILES)
@settings(max_examples=40, deadline=None)
@example(TRICKY)
@given(documents)
def test_texts_and_labels_survive(file, rows):
    skip_without_pyarrow(file)
    dataset = dataset_of(rows)
    with TemporaryDirectory() as folder:
        path = Path(folder, file)
        write(dataset, path, fields=FIELDS)
        assert_same(dataset, read(path, fields=FIELDS))


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(TEXT_FILES, 2)))
def test_every_pair_of_text_formats(tmp_path, first, second):
    skip_without_pyarrow(first, second)
    (tmp_path / "to").mkdir()
    write(dataset_of(TRICKY), tmp_path / first, fields=FIELDS)
    target = Fields(text="body", labels="tags", separator="§")
    convert(tmp_path / first, tmp_path / "to" / second, fields=FIELDS, target_fields=target)
    assert_same(dataset_of(TRICKY), read(tmp_path / "to" / second, fields=target))


@st.composite
def features(draw):
    n_rows, n_features, n_labels = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 5))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    X = draw(arrays(np.float32, (n_rows, n_features), elements=finite, fill=st.just(0)))
    Y = draw(arrays(np.bool_, (n_rows, n_labels)).filter(np.any))
    return sp.csr_matrix(X), sp.csr_matrix(Y.astype(np.float32))


@pytest.mark.parametrize(("first", "second"), list(itertools.product(FEATURE_FILES, FEATURE_FILES)))
@settings(max_examples=15, deadline=None)
@given(features())
def test_features_survive_every_pair_of_formats(first, second, matrices):
    X, Y = matrices
    dataset = Dataset(X=X, Y=Y, label_names=[str(label) for label in range(Y.shape[1])])
    with TemporaryDirectory() as folder:
        path, target = Path(folder, first), Path(folder, "to-" + second)
        write(dataset, path)
        convert(path, target)
        assert_same(dataset, read(target))


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5, unique=True))
def test_npz_keeps_any_label_names(label_names):
    width = len(label_names)
    dataset = Dataset(X=sp.eye(1, 2, format="csr", dtype=np.float32), Y=sp.csr_matrix(np.ones((1, width), np.float32)),
                      label_names=label_names)  # fmt: skip
    with TemporaryDirectory() as folder:
        write(dataset, Path(folder, "d.npz"))
        assert_same(dataset, read(Path(folder, "d.npz")))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("file", ["d.csv", "d.tsv.gz"])
@settings(max_examples=25, deadline=None)
@example(TRICKY)
@given(documents)
def test_the_delimiter_of_any_table_is_found(file, delimiter, rows):
    dataset = dataset_of(rows)
    with TemporaryDirectory() as folder:
        path = Path(folder, file)
        write(dataset, path, fields=Fields(separator="|", delimiter=delimiter))
        assert_same(dataset, read(path, fields=FIELDS))


@pytest.mark.parametrize("printed", [repr, json.dumps, lambda labels: json.dumps(labels, ensure_ascii=False)])
@settings(max_examples=60, deadline=None)
@example(TRICKY)
@given(documents)
def test_printed_lists_of_any_labels_are_read(printed, rows):
    dataset = dataset_of(rows)
    cells = [printed(sorted(labels)) for _, labels in rows]
    with TemporaryDirectory() as folder:
        path = Path(folder, "d.csv")
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "labels"])
            writer.writerows(zip(dataset.texts, cells, strict=True))
        assert_same(dataset, read(path))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("[]'\", ab1|\\\n{}()", min_size=1, max_size=12), min_size=1, max_size=4))
def test_cells_of_brackets_and_quotes_give_labels_or_one_sentence(cells):
    with TemporaryDirectory() as folder:
        path = Path(folder, "d.jsonl")
        path.write_text("\n".join(json.dumps({"text": "a", "labels": cell}) for cell in cells))
        for separator in (None, ",", "|"):
            try:
                read(path, fields=Fields(separator=separator))
            except DataFileError as error:
                assert "\n" not in str(error)
