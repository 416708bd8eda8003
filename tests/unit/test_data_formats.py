"""Every format reads its documented forms, and invalid files raise a one-sentence error."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.data import (
    Document,
    Fields,
    align,
    convert,
    holds_texts,
    read,
    read_column,
    read_features,
    read_texts,
    write,
)
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def put(path: Path, content: str | bytes) -> Path:
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return path


def rows(dataset: Dataset) -> list[list[str]]:
    return [dataset.labels_of(row) for row in range(len(dataset))]


def test_jsonl_cleans_labels_and_keeps_poor_documents(tmp_path):
    path = put(
        tmp_path / "d.jsonl",
        '{"text": "one", "labels": [" b ", "a", "b", "", 7]}\r\n\n  {"labels": null, "text": null} \n'
        '{"text": "", "labels": "x | y|x"}',
    )
    dataset = read(path)
    assert dataset.texts == ["one", "", ""]
    assert list(dataset.label_names) == ["7", "a", "b", "x", "y"]
    assert rows(dataset) == [["7", "a", "b"], [], ["x", "y"]]
    assert dataset.Y.has_canonical_format and dataset.Y.dtype == np.float32


def test_label_ids_do_not_depend_on_the_order_of_rows(tmp_path):
    lines = ['{"text": "1", "labels": ["z", "k"]}', '{"text": "2", "labels": ["a", "z"]}']
    forward = read(put(tmp_path / "f.jsonl", "\n".join(lines)))
    backward = read(put(tmp_path / "b.jsonl", "\n".join(lines[::-1])))
    assert list(forward.label_names) == list(backward.label_names) == ["a", "k", "z"]
    np.testing.assert_array_equal(forward.Y.toarray(), backward.Y.toarray()[::-1])


def test_broken_surrogates_and_byte_order_marks_are_mended(tmp_path):
    line = b'\xef\xbb\xbf{"text": "cut \\ud83d", "labels": ["\\ud83d\\ude00", "x\\udc00"]}'
    dataset = read(put(tmp_path / "d.jsonl", line))
    assert dataset.texts == ["cut \ufffd"]
    assert rows(dataset) == [["x\ufffd", "\U0001f600"]]


@pytest.mark.parametrize("name", ["d.csv", "d.csv.gz", "D.CSV"])
def test_csv_quotes_and_joined_text_fields(tmp_path, name):
    content = '\ufeffid,title,abstract,labels\n1,"A ""b"", c","line\nbreak",x|y\n\n2,t,,\n'
    fields = Fields(text="title, abstract")
    dataset = read(put(tmp_path / name, content), fields=fields)
    assert dataset.texts == ['A "b", c\nline\nbreak', "t"]
    assert rows(dataset) == [["x", "y"], []]
    assert list(read_texts(tmp_path / name, fields)) == [Document('A "b", c\nline\nbreak', "1"), Document("t", "2")]


def test_tsv_with_its_own_separator(tmp_path):
    path = put(tmp_path / "d.tsv", "text\ttags\na, b\tx;y\n")
    assert rows(read(path, fields=Fields(labels="tags", separator=";"))) == [["x", "y"]]


def test_unsplit_labels_are_refused_until_the_separator_is_given(tmp_path):
    path = put(tmp_path / "d.csv", 'text,labels\na,"x, y"\nb,"x, z"\nc,y\n')
    with pytest.raises(
        DataFileError, match=r"d\.csv: no labels are separated by the default '\|', but 2 of 3 hold ','"
    ):
        read(path)
    assert list(read(path, fields=Fields(separator="|")).label_names) == ["x, y", "x, z", "y"]
    assert list(read(path, fields=Fields(separator=",")).label_names) == ["x", "y", "z"]
    one_split = put(tmp_path / "e.csv", 'text,labels\na,"Twain, M.|x"\nb,"Poe, E."\n')
    assert list(read(one_split).label_names) == ["Poe, E.", "Twain, M.", "x"]


def test_huge_cells_pass_and_leave_the_limit_of_csv_alone(tmp_path):
    import csv

    before = csv.field_size_limit()
    text = "word " * 100_000
    assert read(put(tmp_path / "d.csv", f"text,labels\n{text},x\n")).texts == [text]
    assert csv.field_size_limit() == before


def test_parquet_lists_strings_and_numbers(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "d.parquet"
    table = {"text": ["a", None], "labels": [["x", "y"], None], "one": ["p|q", ""], "number": [3, 4]}
    pq.write_table(pyarrow.table(table), path)
    assert read(path).texts == ["a", ""]
    assert rows(read(path)) == [["x", "y"], []]
    assert rows(read(path, fields=Fields(labels="one"))) == [["p", "q"], []]
    assert rows(read(path, fields=Fields(labels="number"))) == [["3"], ["4"]]
    assert list(read_texts(path, Fields(id="number"))) == [Document("a", 3), Document("", 4)]


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    import sys

    from ramify.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ramify\[data\]"'):
        read(put(tmp_path / "d.parquet", b"PAR1"))


def test_repository_format(tmp_path):
    content = "5 4 3\n0,2,0 0:1 3:2.5e-1\n 1:-2\n1\n\n1  2:1\t2:0.5\n\n"
    dataset = read(put(tmp_path / "d.txt.gz", content))
    expected = [[1, 0, 0, 0.25], [0, -2, 0, 0], [0] * 4, [0] * 4, [0, 0, 1.5, 0]]
    np.testing.assert_array_equal(dataset.X.toarray(), np.array(expected, np.float32))
    assert rows(dataset) == [["0", "2"], [], ["1"], [], ["1"]]
    assert list(dataset.label_names) == ["0", "1", "2"]
    assert dataset.label_names[-1] == "2" and dataset.label_names[:2] == ["0", "1"]


def test_names_for_label_numbers_from_a_file_or_the_caller(tmp_path):
    path = put(tmp_path / "d.txt", "1 1 2\n1 0:1\n")
    names = put(tmp_path / "labels.txt", "cat\ndog\n")
    assert rows(read(path, fields=Fields(names_path=str(names)))) == [["dog"]]
    wider = read(path, label_names=["a", "b", "c"])
    assert rows(wider) == [["b"]] and wider.n_labels == 3
    with pytest.raises(DataFileError, match="names is 1, but the data have 2 labels"):
        read(path, label_names=["a"])


def test_npz_pair_of_scipy_files(tmp_path):
    X = sp.random(5, 7, 0.5, format="csr", random_state=0)
    Y = (sp.random(5, 3, 0.9, format="csc", random_state=1) > 0).astype(np.int8)
    sp.save_npz(tmp_path / "X.npz", X)
    sp.save_npz(tmp_path / "Y.npz", Y)
    by_path = read(f"{tmp_path / 'X.npz'}:{tmp_path / 'Y.npz'}")
    by_field = read(tmp_path / "X.npz", fields=Fields(labels_path=str(tmp_path / "Y.npz")))
    for dataset in (by_path, by_field):
        np.testing.assert_array_equal(dataset.X.toarray(), X.toarray().astype(np.float32))
        np.testing.assert_array_equal(dataset.Y.toarray(), Y.toarray())
    with pytest.raises(DataFileError, match=r"goes with \.npz only"):
        read(tmp_path / "X.txt", fields=Fields(labels_path="Y.npz"))
    np.testing.assert_array_equal(read_features(tmp_path / "X.npz").toarray(), X.toarray().astype(np.float32))


def test_npz_of_dense_arrays_with_names(tmp_path):
    np.savez(tmp_path / "d.npz", X=np.eye(2), Y=np.array([[0, 1], [1, 1]]), label_names=np.array(["a", "ß"]))
    assert rows(read(tmp_path / "d.npz")) == [["ß"], ["a", "ß"]]


def test_read_texts_streams_and_needs_no_labels():
    stream = io.BytesIO(b'{"text": "a", "id": 5}\n{"text": "b"}\nbroken\n')
    documents = read_texts(stream)
    assert next(documents) == Document("a", 5)
    assert next(documents) == Document("b", None)
    with pytest.raises(DataFileError, match=":3: is no JSON object"):
        next(documents)
    assert list(read_texts(io.BytesIO(b"text\nhello\n"), stream_format=".csv")) == [Document("hello", None)]
    assert list(read_texts(io.BytesIO(b""))) == []


def test_align_appends_unseen_labels_that_occur():
    Y = sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 0, 1]], np.float32))
    dataset = Dataset(Y=Y, label_names=["new", "b", "unused", "a"], texts=["1", "2"])
    aligned = align(dataset, ["a", "b", "c"])
    assert list(aligned.label_names) == ["a", "b", "c", "new"]
    np.testing.assert_array_equal(aligned.Y.toarray(), [[0, 1, 0, 1], [1, 1, 0, 0]])
    assert align(dataset, dataset.label_names) is dataset
    with pytest.raises(InputError, match="only 1 different"):
        align(dataset, ["a", "a"])


def test_read_column_and_kinds_of_files(tmp_path):
    path = put(tmp_path / "d.jsonl", '{"text": "a", "labels": [], "split": "test"}\n{"split": null}')
    assert read_column(path, "split") == ["test", None]
    assert holds_texts("x.csv.gz") and not holds_texts("x.txt.gz") and not holds_texts("X.npz:Y.npz")
    with pytest.raises(DataFileError, match="only files of texts have fields"):
        read_column(put(tmp_path / "d.txt", "1 1 1\n0 0:1\n"), "split")


def test_conversion_between_texts_and_features_is_refused_with_a_remedy(tmp_path):
    texts = put(tmp_path / "d.jsonl", '{"text": "a", "labels": ["x"]}')
    features = put(tmp_path / "d.txt", "1 1 1\n0 0:1\n")
    with pytest.raises(InputError, match=r"holds texts, but .* would hold features: choose \.jsonl"):
        convert(texts, tmp_path / "e.txt")
    with pytest.raises(InputError, match=r"holds features, but .* would hold texts: choose \.npz"):
        convert(features, tmp_path / "e.jsonl")
    with pytest.raises(InputError, match=r"write \.npz or \.txt"):
        write(read(features), tmp_path / "e.csv")
    for name in ("e.txt", "e.npz"):
        with pytest.raises(InputError, match="the data are texts"):
            write(read(texts), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl", "d.txt"]


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = put(tmp_path / "d.csv", "old")
    dataset = Dataset(Y=sp.csr_matrix(np.ones((2, 1), np.float32)), label_names=["x"], texts=["fine", "nul \0"])
    with pytest.raises(InputError, match=r"row 1 holds a NUL character, which CSV cannot: write \.jsonl"):
        write(dataset, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["d.csv"]
    with pytest.raises(DataFileError, match="No such file or directory"):
        write(dataset, tmp_path / "absent" / "d.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(DataFileError, match="cannot be written"):
        write(dataset, tmp_path / "folder.jsonl")
    with pytest.raises(InputError, match=r"the label 'x' holds the separator 'x'"):
        write(dataset, path, fields=Fields(separator="x"))


def test_gzip_output_is_reproducible(tmp_path):
    dataset = Dataset(Y=sp.csr_matrix(np.ones((1, 1), np.float32)), label_names=["x"], texts=["a"])
    write(dataset, tmp_path / "a.jsonl.gz")
    write(dataset, tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert json.loads(gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes())) == {"text": "a", "labels": ["x"]}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data sets are not on this machine")
def test_real_sets_have_the_sizes_of_their_cards():
    bibtex = read(SHARED / "bibtex" / "test.txt.gz", fields=Fields(names_path=str(SHARED / "bibtex" / "labels.txt")))
    assert (bibtex.X.shape, bibtex.Y.shape) == ((2515, 1836), (2515, 159))
    assert bibtex.labels_of(0)[0].startswith("TAG_")
    bills = read(SHARED / "crs-bills-mini" / "test.jsonl.gz")
    assert len(bills) == 600 and bills.Y.nnz / 600 == pytest.approx(18.86, abs=0.005)
