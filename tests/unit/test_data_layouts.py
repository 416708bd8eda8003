"""Files as other tools write them: delimiters, printed lists, a row per label, identifiers in place of names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.data import Document, Fields, align, looks_long, read, read_names, read_texts, renamed, write
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def put(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8", newline="")
    return path


def rows(dataset: Dataset) -> list[list[str]]:
    return [dataset.labels_of(row) for row in range(len(dataset))]


def labels_file(tmp_path: Path, cells: list[str], kind: str = ".csv") -> Path:
    """A file of these label strings; no text repeats."""
    path = tmp_path / f"d{kind}"
    if kind == ".jsonl":
        return put(path, "".join(json.dumps({"text": f"t{i}", "labels": one}) + "\n" for i, one in enumerate(cells)))
    quoted = ('"' + cell.replace('"', '""') + '"' for cell in cells)
    return put(path, "text,labels\n" + "".join(f"t{i},{cell}\n" for i, cell in enumerate(quoted)))


# ---- one line


@pytest.mark.parametrize(
    ("texts", "width", "kind"),
    [
        (True, None, "texts"),
        (False, 2**31 - 1, f"features of width {2**31 - 1}"),
        (True, 7, "texts and features of width 7"),
    ],
)
def test_repr_is_one_short_line(texts, width, kind):
    n = 300
    dataset = Dataset(
        Y=sp.csr_matrix(np.ones((n, 25), np.float32)),
        label_names=["a label " * 50] * 25,
        texts=["word " * 1000] * n if texts else None,
        X=None if width is None else sp.csr_matrix((n, width), dtype=np.float32),
    )
    assert repr(dataset) == f"Dataset(300 documents, 25 labels, {kind})"


# ---- ids


@pytest.mark.parametrize("name", ["e.jsonl", "e.csv", "e.tsv.gz", "e.parquet"])
def test_ids_are_read_written_taken_and_aligned(tmp_path, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    source = put(tmp_path / "d.jsonl", '{"id": "7", "text": "a", "labels": ["x"]}\n{"text": "b", "labels": ["y"]}\n')
    dataset = read(source)
    assert dataset.ids == ["7", None]
    write(dataset, tmp_path / name)
    again = read(tmp_path / name)
    assert again.ids == ["7", None]
    assert align(again, ["y", "z"]).ids == ["7", None]
    assert again.take(np.array([1, 0, 0])).ids == [None, "7", "7"]


def test_ids_of_any_kind_and_none(tmp_path):
    kinds = [5, "5", 1.5, ["a"], None, True, 2**70]
    lines = [json.dumps({"key": one, "text": "a", "labels": ["x"]}) for one in kinds]
    dataset = read(put(tmp_path / "d.jsonl", "\n".join(lines)), fields=Fields(id="key"))
    assert dataset.ids == kinds
    assert read(tmp_path / "d.jsonl").ids is None
    write(dataset, tmp_path / "e.jsonl")
    assert read(tmp_path / "e.jsonl").ids == kinds
    pytest.importorskip("pyarrow")
    write(dataset, tmp_path / "e.parquet")
    assert read(tmp_path / "e.parquet").ids == [None if one is None else str(one) for one in kinds]


def test_ids_that_numpy_made_stay_numbers(tmp_path):
    pytest.importorskip("pyarrow")
    dataset = Dataset(Y=sp.csr_matrix(np.ones((2, 1))), label_names=["x"], texts=["a", "b"], ids=np.array([7, 8]))
    for name in ("d.jsonl", "d.csv", "d.parquet"):
        write(dataset, tmp_path / name)
        assert [str(one) for one in read(tmp_path / name).ids] == ["7", "8"]
    assert read(tmp_path / "d.jsonl").ids == [7, 8]


def test_several_columns_of_ids_do_not_keep_a_file_from_being_read(tmp_path):
    assert read(put(tmp_path / "d.csv", "id,text,labels,id\n1,a,x,2\n")).ids == ["1"]


@pytest.mark.parametrize("field", [{"ids": ["a"]}, {"label_keys": ["a", "b"]}])
def test_ids_and_keys_have_the_length_of_what_they_identify(field):
    with pytest.raises(InputError, match=r"ids has 1 rows, but Y has 2|2 label keys are given, but Y has 1"):
        Dataset(Y=sp.csr_matrix(np.ones((2, 1), np.float32)), label_names=["x"], texts=["", ""], **field)


def test_two_fields_of_one_name_are_not_written(tmp_path):
    dataset = Dataset(Y=sp.csr_matrix(np.ones((1, 1))), label_names=["x"], texts=["a"], ids=[1])
    with pytest.raises(InputError, match="id and text cannot both be written to the field 'text': give two names"):
        write(dataset, tmp_path / "d.jsonl", fields=Fields(id="text"))


# ---- delimiters


@pytest.mark.parametrize("extension", [".csv", ".tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_delimiter_is_found_by_the_header(tmp_path, extension, delimiter, quote):
    lines = [["id", "text", "labels"], ["1", "a b", "x/y"], ["2", "c", "z"]]
    content = "\n" + "".join(delimiter.join(f"{quote}{cell}{quote}" for cell in line) + "\n" for line in lines)
    path = put(tmp_path / f"d{extension}", content)
    dataset = read(path, fields=Fields(separator="/"))
    assert (list(dataset.texts), rows(dataset), dataset.ids) == (["a b", "c"], [["x", "y"], ["z"]], ["1", "2"])
    assert list(read_texts(path)) == [Document("a b", "1"), Document("c", "2")]


def test_a_given_delimiter_is_read_and_written_and_no_other(tmp_path):
    odd = Fields(delimiter="^", separator=";")
    dataset = read(put(tmp_path / "d.csv", 'text^labels\n"a^b"^x;y\n'), fields=odd)
    assert dataset.texts == ["a^b"]
    write(dataset, tmp_path / "e.tsv", fields=odd)
    assert (tmp_path / "e.tsv").read_text() == 'text^labels\n"a^b"^x;y\n'
    with pytest.raises(DataFileError, match=r":1: field 'text' is missing among 'text\^labels' \(delimiter ';'\): "):
        read(tmp_path / "d.csv", fields=Fields(delimiter=";"))


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "\r", "\0", 5])
def test_what_is_no_delimiter(delimiter):
    with pytest.raises(InputError, match=r"the delimiter is .*, but must be one character between cells"):
        Fields(delimiter=delimiter)


# ---- printed lists


@pytest.mark.parametrize("kind", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["['a', 'b']", "['c']"], [["a", "b"], ["c"]]),
        (['["a", "b"]', '["c"]'], [["a", "b"], ["c"]]),
        (["['a', \"it's\"]", "[]", " ", '["x,y" , "p|q",]'], [["a", "it's"], [], [], ["p|q", "x,y"]]),
        (["[1, 2]", "[None, 'a']", "[null]"], [["1", "2"], ["a"], []]),
        ([r"['a\'b', 'tab\t', '\xe9', '\u20ac', '\\']", r'["\ud83d\ude00", "\/"]'],
         [["\\", "a'b", "tab", "é", "€"], ["/", "\U0001f600"]]),
        (["['a\nb']"], [["a\nb"]]),
        (["[a]", "[b]|[c]"], [["[a]"], ["[b]", "[c]"]]),  # brackets that belong to the labels
    ],
)  # fmt: skip
def test_printed_lists_are_labels(tmp_path, kind, cells, labels):
    assert rows(read(labels_file(tmp_path, cells, kind))) == labels


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (["['a']", "['b' 'c']"], r":3: the labels .*'b' 'c'.* are a printed NumPy array, which has no commas"),
        (["['b'\n 'c']"], "are a printed NumPy array"),
        (["[1 2]"], "are a printed NumPy array"),
        (["x", "{'a', 'b'}"], ":3: the labels .* are a printed set: write a list"),
        (["('a', 'b')"], ":2: the labels .* are a printed tuple: write a list"),
        (["['a']", "[b]"], ":3: the labels '.b.' are no list that parses, but others are"),
        (["['a', 1.5]"], ":2: the label 1.5 must be a string or a whole number"),
        (["['a', 'b']", "c"], "1 of 2 cells of labels hold a printed list .* but the others do not"),
    ],
)
def test_lists_that_are_not_read(tmp_path, cells, sentence):
    with pytest.raises(DataFileError, match=sentence) as caught:
        read(labels_file(tmp_path, cells))
    assert "give the separator" not in str(caught.value)


@pytest.mark.parametrize("separator", [",", "|"])
def test_a_separator_for_printed_lists_is_refused(tmp_path, separator):
    path = labels_file(tmp_path, ["['a', 'b']", "['c']", "[]"])
    with pytest.raises(DataFileError, match=r"all labels are printed lists .*: leave the separator out"):
        read(path, fields=Fields(separator=separator))
    assert rows(read(labels_file(tmp_path, ["[a, b]", "c"]), fields=Fields(separator="|"))) == [["[a, b]"], ["c"]]


def test_a_bad_value_behind_held_lists_has_its_own_line(tmp_path):
    lines = ['{"text": "a", "labels": "[\'x\']"}', '{"text": "a", "labels": [1.5]}', '{"text": "a", "labels": "y"}']
    with pytest.raises(DataFileError, match=r"d\.jsonl:2: the label 1\.5"):
        read(put(tmp_path / "d.jsonl", "\n".join(lines)))


# ---- a row per document and label

LONG = "doc,text,labels\n1,one,a\n2,two,b\n1,other,c\n,three,d\n,three,e\n2,two,b\n"


def test_rows_of_a_group_are_one_document(tmp_path):
    path = put(tmp_path / "d.csv", LONG)
    dataset = read(path, fields=Fields(group="doc"))
    assert dataset.texts == ["one", "two", "three", "three"]
    assert rows(dataset) == [["a", "c"], ["b"], ["d"], ["e"]]
    assert dataset.ids == ["1", "2", None, None]
    assert dataset.Y.has_canonical_format and set(dataset.Y.data.tolist()) == {1.0}
    assert [one.text for one in read_texts(path, Fields(group="doc"))] == dataset.texts
    assert len(read(path)) == 6


def test_an_empty_id_in_a_group_is_the_group(tmp_path):
    path = put(tmp_path / "d.csv", "id,text,labels,g\n,a,x,1\n,a,y,1\n7,b,z,\n,c,z,\n")
    assert read(path, fields=Fields(group="g")).ids == ["1", "7", None]
    assert [one.id for one in read_texts(path, Fields(group="g"))] == ["1", "7", None]


def test_a_group_that_is_no_field_or_no_value(tmp_path):
    with pytest.raises(DataFileError, match=r"field 'docs' is missing .*: did you mean 'doc'"):
        read(put(tmp_path / "d.csv", LONG), fields=Fields(group="docs"))
    path = put(tmp_path / "d.jsonl", '{"text": "a", "labels": ["x"], "doc": [1]}')
    with pytest.raises(DataFileError, match=r":1: the group is \[1\], but must be a string or a number"):
        read(path, fields=Fields(group="doc"))
    with pytest.raises(InputError, match="the group field is ' '"):
        Fields(group=" ")


def singles(texts: list[str], labels: list[int], ids: list | None = None) -> Dataset:
    Y = sp.csr_matrix((np.ones(len(labels), np.float32), (range(len(labels)), labels)), shape=(len(labels), 50))
    return Dataset(Y=Y, label_names=[str(label) for label in range(50)], texts=texts, ids=ids)


@pytest.mark.parametrize(
    ("dataset", "found"),
    [
        (singles([f"t{i // 3}" for i in range(30)], list(range(30))), (30, 10)),
        (singles([f"t{i}" for i in range(30)], list(range(30)), [i // 2 for i in range(30)]), (30, 15)),
        (singles([f"t{i}" for i in range(30)], list(range(30)), [[i // 2] for i in range(30)]), None),
        (singles([f"t{i}" for i in range(30)], [0] * 30), None),
        (singles(["same"] * 30, [0] * 30), None),  # repeated rows, but no document with two labels
        (singles([f"t{i * 9 // 10}" for i in range(30)], list(range(30))), None),
        (Dataset(Y=sp.csr_matrix(np.ones((4, 2))), label_names=["a", "b"], texts=["t"] * 4), None),
    ],
)
def test_looks_long(dataset, found):
    assert looks_long(dataset) == found


# ---- names

NAMES = [("a", "Apple"), ("b", "Pear"), ("c", "Pear"), ("b", "second name"), ("d", "")]


def names_file(folder: Path, kind: str) -> Path:
    path = folder / f"names{kind}"
    if kind == ".jsonl":
        lines = [json.dumps({"uri": "x", "id": key, "name": name}) for key, name in NAMES]
        return put(path, "\n".join(lines))
    if kind == ".parquet":
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"id": [key for key, _ in NAMES], "name": [name for _, name in NAMES]}), path)
        return path
    return put(path, "name;id\n" + "".join(f"{name};{key}\n" for key, name in NAMES))


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_names_replace_identifiers(tmp_path, kind):
    path = put(
        tmp_path / "d.jsonl", '{"text": "t", "labels": ["b", "a", "z", "c", "d"]}\n{"text": "u", "labels": ["z"]}'
    )
    dataset = read(path, fields=Fields(names_path=str(names_file(tmp_path, kind))))
    assert list(dataset.label_names) == ["Apple", "Pear (b)", "Pear (c)", "d", "z"]
    assert list(dataset.label_keys) == ["a", "b", "c", "d", "z"]
    assert rows(dataset) == [["Apple", "Pear (b)", "Pear (c)", "d", "z"], ["z"]]
    assert list(align(dataset, ["z", "Apple", "new"]).label_keys)[:3] == ["z", "a", "new"]
    assert list(dataset.take(np.array([1])).label_keys) == ["a", "b", "c", "d", "z"]


def test_names_by_line_for_label_numbers(tmp_path):
    names = put(tmp_path / "names.txt", "zero\none\n\ntwo\ntwo\n")
    texts = read(put(tmp_path / "d.jsonl", '{"text": "t", "labels": [1, 4, 2]}'), fields=Fields(names_path=str(names)))
    assert (list(texts.label_names), list(texts.label_keys)) == (["2", "one", "two (4)"], ["2", "1", "4"])
    features = put(tmp_path / "d.txt", "1 1 3\n1,2 0:1\n")
    numbered = read(features, fields=Fields(names_path=str(names)))
    assert list(numbered.label_names) == ["zero", "one", "2", "two (3)", "two (4)"]
    by_id = Fields(names_path=str(put(tmp_path / "names.csv", "id,name\n1,eins\n")))
    assert rows(read(features, fields=by_id)) == [["eins", "2"]]
    swapped = Fields(names_path=str(put(tmp_path / "swapped.csv", "id,name\n1,2\n")))
    assert list(read(features, fields=swapped).label_names) == ["0", "2 (1)", "2 (2)"]
    with pytest.raises(DataFileError, match="names labels of data with 2147483647 label numbers: at most"):
        read(put(tmp_path / "wide.txt", "1 1 2147483647\n1,2 0:1\n"), fields=by_id)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("n.jsonl", '{"id": "q", "name": "Q"}', "names none of the labels, which are 'x', but 'q': give the file"),
        ("n.jsonl", '{"id": "x", "name": 5}', ":1: the name is 5, but must be a string"),
        ("n.jsonl", '{"id": 1.5, "name": "Q"}', ":1: the label 1.5 must be"),
        ("n.jsonl", '{"id": "x"}', ":1: field 'name' is missing among 'id'"),
        ("n.jsonl", "", "names no label"),
        ("n.csv", "id,title\nx,Q\n", ":1: field 'name' is missing among 'id', 'title'"),
        ("n.txt", "zero\n", "names none of the labels, which are 'x', but '0'"),
    ],
)
def test_wrong_files_of_names(tmp_path, name, content, sentence):
    path = put(tmp_path / "d.jsonl", '{"text": "t", "labels": ["x"]}')
    with pytest.raises(DataFileError, match=sentence):
        read(path, fields=Fields(names_path=str(put(tmp_path / name, content))))


def test_renamed_merges_and_leaves_names_alone():
    Y = sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]], np.float32))
    dataset = Dataset(Y=Y, label_names=["p1", "Apple", "p2", "other"], texts=["1", "2", "3"], ids=[1, 2, 3])
    new = renamed(dataset, ["p1", "p2"], ["Apple", "Pear"])
    assert list(new.label_names) == ["Apple", "Pear", "other"]
    assert list(new.label_keys) == ["p1", "p2", "other"]
    assert rows(new) == [["Apple"], ["Apple", "other"], ["Pear"]] and new.ids == [1, 2, 3]
    np.testing.assert_array_equal(dataset.Y.toarray(), [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    assert list(renamed(new, ["other"], ["Another"]).label_keys) == ["other", "p1", "p2"]
    with pytest.raises(InputError, match="1 label keys are given, but 2 names"):
        renamed(dataset, ["p1"], ["a", "b"])


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data sets are not on this machine")
@pytest.mark.parametrize("folder", ["yso-finna-en", "kirjastonhoitaja-fi"])
def test_names_of_real_sets(folder):
    path = SHARED / folder / "labels.jsonl.gz"
    keys, names = read_names(path)
    assert len(set(keys)) == len(keys) == len(names) == len(set(names)) > 4000
    dataset = read(SHARED / folder / "test.jsonl.gz", fields=Fields(names_path=str(path)))
    assert list(dataset.label_names) == sorted(dataset.label_names)
    key_of = dict(zip(names, keys, strict=True))
    assert all(key_of.get(name, name) == key for name, key in zip(dataset.label_names, dataset.label_keys, strict=True))
