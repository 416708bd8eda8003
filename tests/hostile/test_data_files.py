"""Whatever a file holds, reading it gives a Dataset or one sentence of DataFileError: no other error, no crash."""

from __future__ import annotations

import gzip
import io
import os
import zipfile

import numpy as np
import pytest

from ramify.data import Fields, read, read_texts
from ramify.data.streams import numbered_lines
from ramify.errors import DataFileError, InputError, RamifyError

NESTED = '{"text": "a", "labels": ' + "[" * 100_000 + "]" * 100_000 + "}"
GOOD = '{"text": "a", "labels": ["x"]}\n'
LONG = "x" * 10_000
WRONG_CHECKSUM = gzip.compress(GOOD.encode(), mtime=0)[:-8] + b"\0" * 8
# (file name, content, what the sentence says); a leading ":n" tells the line
CORPUS = [
    ("d.jsonl", "", "holds no documents"),
    ("d.jsonl", "\n \n", "holds no documents"),
    ("d.jsonl", GOOD + "{", ":2: is no JSON object .* at column 2"),
    ("d.jsonl", GOOD + GOOD.strip() + "x\n", ":2: is no JSON object .Extra data at column 31"),
    ("d.jsonl", GOOD + "[1]", ":2: holds a JSON list, but each line must be one object"),
    ("d.jsonl", "[\n" + GOOD, ":1: is no JSON object"),
    ("d.jsonl", '"text"', ":1: holds a JSON string"),
    ("d.jsonl", "12", ":1: holds a JSON number"),
    ("d.jsonl", "null", ":1: holds a JSON null"),
    ("d.jsonl", NESTED, r":1: (is no JSON that can be read .RecursionError|the label)"),
    ("d.jsonl", '{"text": "a", "labels": [' + "9" * 5000 + "]}", ":1: (is no JSON that can be read|the label)"),
    ("d.jsonl", GOOD.encode() + b'{"text": "\xff"}', ":2: byte 0xff is not UTF-8: save the file as UTF-8"),
    ("d.jsonl", GOOD.encode("utf-16"), ":1: byte 0xff is not UTF-8"),
    ("d.jsonl", '{"txt": "a", "labels": []}', ":1: field 'text' is missing among 'txt', 'labels': did you mean 'txt'"),
    ("d.jsonl", '{"text": "a"}', ":1: field 'labels' is missing among 'text': name the right one"),
    ("d.jsonl", "{}", ":1: field 'labels' is missing among no fields at all|field 'text' is missing"),
    ("d.jsonl", '{"text": 3, "labels": []}', ":1: the text is 3, but must be a string"),
    ("d.jsonl", '{"text": ["a"], "labels": []}', ":1: the text is .*, but must be a string"),
    ("d.jsonl", '{"text": "a", "labels": [1.5]}', ":1: the label 1.5 must be a string or a whole number"),
    ("d.jsonl", '{"text": "a", "labels": [true]}', ":1: the label True must be"),
    ("d.jsonl", '{"text": "a", "labels": [NaN]}', ":1: the label nan must be"),
    ("d.jsonl", '{"text": "a", "labels": [["x"]]}', r":1: the label \['x'\] must be"),
    ("d.jsonl", '{"text": "a", "labels": {"x": 1}}', ":1: the label {'x': 1} must be"),
    ("d.jsonl", '{"text": "a", "labels": []}', "no document has labels"),
    ("d.jsonl", '{"text": "a", "labels": "x;y"}', "default '|', but 1 of 1 hold ';'"),
    ("d.jsonl", gzip.compress(GOOD.encode(), mtime=0), ":1: is gzip data: let its name end in .gz"),
    ("d.jsonl.gz", GOOD, "is not gzip data: drop the .gz"),
    ("d.jsonl.gz", gzip.compress(GOOD.encode() * 99, mtime=0)[:-9], "the gzip data breaks off or is damaged"),
    ("d.jsonl.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03garbage", "the gzip data breaks off or is damaged"),
    (
        "d.jsonl.gz",
        gzip.compress(GOOD.encode(), mtime=0) + b"more",
        "the gzip data is damaged, or other bytes follow it",
    ),
    ("d.jsonl.gz", WRONG_CHECKSUM, "the gzip data is damaged, or other bytes follow it: compress the file again"),
    ("d.jsonl", GOOD.strip() + "x", ":1: is no JSON object .Extra data at column 31"),
    ("d.jsonl", GOOD + "\n" * 1_000_001, ":1000002: more than 1,000,000 blank lines in a row: remove them"),
    ("d.csv", "text,labels\n" + "\r\n" * 1_000_001, ":1000002: more than 1,000,000 blank lines"),
    ("d.txt", "2000000 2 3\n" + " \n" * 1_000_001, ":1000002: more than 1,000,000 blank lines"),
    ("d.jsonl", f'{{"text": "a", "labels": ["x", {{"{LONG}": "{LONG}"}}]}}', ":1: the label {'xxx.* must be a string"),
    ("d.jsonl", f'{{"text": ["{LONG}"], "labels": []}}', ":1: the text is .'xxx.*, but must be a string"),
    ("d.jsonl", f'{{"{LONG}": 1, "{LONG}y": 2}}', ":1: field 'text' is missing among 'xxx"),
    ("d.csv", f"{LONG};{LONG},labels\n", ":1: field 'text' is missing among 'xxx"),
    ("d.csv", f"text,labels\na,\"['a' '{LONG}']\"\n", ":2: the labels .* are a printed NumPy array"),
    ("d.csv", f"text,labels\na,\"{{'a', '{LONG}'}}\"\n", ":2: the labels .* are a printed set"),
    ("d." + LONG[:200], GOOD, "the extension '.xxx.*' is not known"),
    ("d.csv", "", "has no header"),
    ("d.csv", "text,labels\n", "holds no documents"),
    ("d.csv", "text,labels\na,x,y\n", ":2: has 3 cells, but the header names 2"),
    ("d.csv", "text,labels\na\n", ":2: has 1 cells, but the header names 2"),
    ("d.csv", "text,label\na,x\n", r":1: field 'labels' is missing among 'text', 'label' .*: did you mean 'label'"),
    ("d.csv", "text;label\na;x\n", r"'text', 'label' \(delimiter ';'; also tried ',', tab, '\|'\): did you mean"),
    ("d.csv", "txt;label\na;x\n", r":1: field 'text' is missing among 'txt;label' \(delimiter ','; also tried"),
    ("d.csv", "text,text,labels\na,b,x\n", ":1: the header names 'text' 2 times"),
    ("d.csv", 'text,labels\n"a,x\n', ":2: does not parse .unexpected end of data"),
    ("d.csv", 'text,labels\n"a"b,x\n', ":2: does not parse"),
    ("d.csv", "text,labels\ra,x\r", ":1: does not parse .new-line character"),
    ("d.csv", b"text,labels\na\0b,x\n", ":2: holds a NUL character"),
    ("d.csv", b"text,labels\nM\xfcller,x\n", ":2: byte 0xfc is not UTF-8"),
    ("d.csv", 'text,labels\na,"x,y"\n', "default '|', but 1 of 1 hold ','"),
    ("d.tsv", "text,label\na,x\n", r"'text', 'label' \(delimiter ','; also tried tab, ';', '\|'\)"),
    ("d.parquet", "", "is not a readable Parquet file"),
    ("d.parquet", "PAR1 nothing PAR1", "is not a readable Parquet file"),
    ("d.txt", "", "is empty: its first line must be the header"),
    ("d.txt", "Some plain text\n", ":1: the first line is 'Some plain text', but must be the header 'N D L'"),
    ("d.txt", "1 2\n", ":1: the first line is '1 2'"),
    ("d.txt", "-1 2 3\n", ":1: the first line is '-1 2 3'"),
    ("d.txt", "1 99999999999 3\n", ":1: the header's counts must be at most 2147483647"),
    ("d.txt", "1 " + "9" * 5000 + " 3\n", ":1: the header's counts must be at most 2147483647"),
    ("d.txt", "0 2 3\n", "holds no documents"),
    ("d.txt", "2 2 3\n0 0:1\n", "announces 2 lines, but 1 follow"),
    ("d.txt", "1 2 3\n0 0:1\n\n1 1:1\n", ":4: the header announces 1 lines, but more follow"),
    ("d.txt", "2147483647 2147483647 2147483647\n0 0:1\n", "announces 2147483647 lines, but 1 follow"),
    ("d.txt", "2 2 3\n0 0:1\n3 0:1\n", r":3: label 3 is outside 0\.\.2, which the header announces"),
    ("d.txt", "1 2 3\n-1 0:1\n", r":2: label -1 is outside 0\.\.2"),
    ("d.txt", "1 2 3\n99999999999999999999 0:1\n", ":2: label 99999999999999999999 is outside"),
    ("d.txt", "1 2 3\n0 2:1\n", r":2: feature 2 is outside 0\.\.1"),
    ("d.txt", "1 2 3\n0 -1:1\n", ":2: feature -1 is outside"),
    ("d.txt", "1 2 3\n0 1.5:1\n", ":2: the feature '1.5' is no whole number"),
    ("d.txt", "1 2 3\n0,,1 1:1\n", ":2: the label '' is no whole number"),
    ("d.txt", "1 2 3\nx 1:1\n", ":2: the label 'x' is no whole number"),
    ("d.txt", "1 2 3\n0 1\n", ":2: '1' is no 'feature:value'"),
    ("d.txt", "1 9 3\n0 1 2:3:4\n", ":2: '1' is no 'feature:value'"),
    ("d.txt", "1 9 3\n0 1:2:3\n", ":2: the value '2:3' is no number"),
    ("d.txt", "1 9 3\n0 1:\n", ":2: the value '' is no number"),
    ("d.txt", "1 9 3\n0 :1\n", ":2: the feature '' is no whole number"),
    ("d.txt", "1 9 3\n0 1:1_0\n", ":2: the value 1_0 is NaN, infinite or beyond float32|no number"),
    ("d.txt", "1 2 3\n0 0:1 1:nan\n", ":2: the value nan is NaN, infinite or beyond float32"),
    ("d.txt", "1 2 3\n0 0:-inf\n", ":2: the value -inf is NaN, infinite or beyond float32"),
    ("d.txt", "1 2 3\n0 0:1e39\n", ":2: the value 1e39 is NaN, infinite or beyond float32"),
    ("d.txt", "1 2 3\n0 0:3e38 0:3e38\n", "X holds NaN or infinite values"),
    ("d.txt", "1 2 3\n 0:1\n", "no document has labels"),
    ("d.npz", "", r"is not an \.npz archive"),
    ("d.npz", "allow_pickle", r"is not an \.npz archive: write it with ramify\.write"),
    ("d.npz", "PK\x03\x04 broken", "is not a readable .npz archive"),
    ("d.json", GOOD, r"the extension '\.json' is not known: name it \.jsonl, \.csv, \.tsv, \.parquet, \.txt, \.npz"),
    ("d.parquet.gz", GOOD, r"the extension '\.parquet\.gz' is not known"),
    ("d.gz", GOOD, "the extension '.gz' is not known"),
    ("data", GOOD, r"has no extension, which names the format: name it \.jsonl"),
]


@pytest.mark.parametrize(("name", "content", "sentence"), CORPUS, ids=[f"{i}-{one[0]}" for i, one in enumerate(CORPUS)])
def test_corpus(tmp_path, name, content, sentence):
    if name == "d.parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataFileError, match=sentence.replace("default '|'", r"default '\|'")) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and len(message) < len(str(path)) + 400


@pytest.mark.parametrize("name", ["d.jsonl", "d.csv.gz", "d.parquet", "d.txt", "d.npz"])
def test_missing_files_directories_and_odd_paths(tmp_path, name):
    if name == "d.parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(DataFileError, match="no such file"):
        read(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(DataFileError, match="is a directory"):
        read(tmp_path / name)
    with pytest.raises(DataFileError, match="cannot be read"):
        read(f"nul\0/{name}")
    with pytest.raises(DataFileError, match="is a directory: name a file in it"):
        read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(DataFileError, match=r"cannot be read .Permission denied"):
        read(path)


def csr_parts(**changes) -> dict[str, np.ndarray]:
    parts = {
        "X_data": np.ones(2, np.float32),
        "X_indices": np.array([0, 1], np.int32),
        "X_indptr": np.array([0, 1, 2]),
        "X_shape": np.array([2, 2]),
        "Y_indices": np.array([0, 0]),
        "Y_indptr": np.array([0, 1, 2]),
        "Y_shape": np.array([2, 1]),
    }
    return {key: value for key, value in (parts | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"X_indices": np.array([0, 2], np.int32)}, "is not a readable .npz archive .*ind"),
        ({"X_indices": np.array([0, -1], np.int32)}, "is not a readable .npz archive"),
        ({"X_indptr": np.array([0, 2, 1])}, "is not a readable .npz archive"),
        ({"X_indptr": np.array([0, 1, 99])}, "is not a readable .npz archive"),
        ({"X_indptr": np.array([0.0, 1.0, 2.0])}, "'X_indptr' is float64 .* must be a vector of integers"),
        ({"X_shape": np.array([2, 2**40])}, "two counts of at most 2147483647"),
        ({"X_shape": np.array([-2, 2])}, "two counts"),
        ({"X_shape": np.array([], np.int64)}, "two counts"),
        ({"X_shape": np.array([3, 2])}, "is not a readable .npz archive"),
        ({"X_shape": None}, "lacks the array 'X_shape'"),
        ({"X_data": np.array([1.0, np.nan])}, "X holds NaN or infinite values"),
        ({"X_data": np.array([1.0, 1e300])}, "X holds NaN or infinite values"),
        ({"X_data": np.array(["a", "b"])}, "archive|real numbers"),
        ({"X_data": np.array([None, {}])}, "holds pickled objects, which are never loaded"),
        ({"X_indptr": None}, "holds no X .its arrays: X_data"),
        ({"Y_indptr": None}, "holds no Y"),
        ({"Y_shape": np.array([1, 1]), "Y_indptr": np.array([0, 1])}, "2 rows, but Y has 1"),
        ({"Y_indptr": np.array([0, 0, 0]), "Y_indices": np.array([], np.int32)}, "no document has labels"),
        ({"Y_data": np.array([-1.0, 1.0])}, "Y holds the negative value -1"),
        ({"label_names": np.array(["a", "b"])}, "2 label names are given, but Y has 1"),
        ({"label_names": np.array([1])}, "must be a vector of strings"),
        (
            {"label_names_bytes": np.array([255], np.uint8), "label_names_offsets": np.array([0, 1])},
            "the label names are not UTF-8: write it with ramify.write",
        ),
        ({"label_names_bytes": np.array([97], np.uint8), "label_names_offsets": np.array([0, 9])}, "must ascend"),
        ({"format": np.array(b"bsr"), "indptr": np.array([0])}, "in 'bsr' format, but must be 'csr' or 'csc'"),
    ],
)
def test_npz_whose_arrays_disagree(tmp_path, changes, sentence):
    path = tmp_path / "d.npz"
    np.savez(path, **csr_parts(**changes))
    with pytest.raises(DataFileError, match=sentence):
        read(path)


def test_an_npz_header_that_is_no_literal(tmp_path):
    header = b"\x93NUMPY\x01\0v\0" + b"{'descr': open('x'), 'fortran_order': False, 'shape': (1,)}".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("X.npy", header)
    with pytest.raises(DataFileError, match="the header of one of its arrays is damaged: write it") as caught:
        read(tmp_path / "d.npz")
    assert "0x" not in str(caught.value)


def members(block: bytes, count: int) -> bytes:
    """Gzip data of a block many times over."""
    return gzip.compress(block, mtime=0) * count


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("d.jsonl.gz", members(b"\n" * (1 << 20), 300), ":1000001: more than 1,000,000 blank lines in a row"),
        ("d.csv.gz", members(b"text,labels\n", 1) + members(b"\n" * (1 << 20), 300), ":1000002: more than 1,000,000"),
        ("d.txt.gz", members(b"1 9 9\n", 1) + members(b"0:1 " * (1 << 18), 300), ":2: .* than 67,108,864"),
        ("d.jsonl.gz", members(b" " * (1 << 24), 100), ":1: the line is longer than 268,435,456 bytes: split it"),
    ],
)  # fmt: skip
def test_small_files_that_unpack_to_much(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=sentence):
        read(path)


@pytest.mark.parametrize("length", [7, 8, 9, 20])
@pytest.mark.parametrize("end", [b"", b"\n", b"\nmore\n"])
def test_the_limit_of_a_line(length, end):
    source = io.BytesIO(b"a\n" + b"x" * length + end)
    lines = numbered_lines(source, limit=8)
    assert next(lines) == (1, "a\n")
    if length + min(len(end), 1) > 8 or (length == 8 and not end):
        with pytest.raises(DataFileError, match=":2: the line is longer than 8 bytes"):
            list(lines)
    else:
        assert next(lines) == (2, "x" * length + end[:1].decode())


def test_features_of_the_largest_width_are_read_at_no_cost(tmp_path):
    path = tmp_path / "d.txt"
    path.write_text(f"2 {2**31 - 1} {2**31 - 1}\n{2**31 - 2} {2**31 - 2}:1\n0 0:2\n")
    dataset = read(path)
    assert dataset.X.shape == dataset.Y.shape == (2, 2**31 - 1)
    assert len(repr(dataset)) < 200


BAD_LINES = {
    "d.jsonl": [
        b'{"text": 5}', b"[]", b"{", b'{"txt": "a"}', b'"text"', b'{"text": "\xff"}', b'{"text": "a"}x', b"\0",
        b'{"text": ["a"]}', b"nul", b"[" * 5000,
    ],
    "d.csv": [b"a", b"a,b,c", b"\xff,b", b"nul\0,b", b'"a"b,c', b'"open,b', b'a,b"c,d', b"\xff\xfe"],
}  # fmt: skip
BAD_LINES["d.tsv"] = [line.replace(b",", b"\t") for line in BAD_LINES["d.csv"]]


@pytest.mark.parametrize(("name", "bad"), [(name, line) for name, lines in BAD_LINES.items() for line in lines])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_reading_goes_on_behind_a_bad_line(tmp_path, name, bad, place):
    delimiter = b"\t" if name == "d.tsv" else b","
    header = [] if name == "d.jsonl" else [delimiter.join((b"text", b"labels"))]
    good = [b'{"text": "t%d"}' % i if name == "d.jsonl" else b"t%d%sx" % (i, delimiter) for i in range(6)]
    position = {"first": 0, "middle": 3, "last": 6}[place]
    lines = [*header, *good[:position], bad, *good[position:]]
    path = tmp_path / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    errors: list[DataFileError] = []
    assert [document.text for document in read_texts(path, on_bad=errors.append)] == [f"t{i}" for i in range(6)]
    [error] = errors
    assert error.path == str(path) and "\n" not in str(error)
    assert error.line == position + 1 + len(header) or b'"open' in bad
    with pytest.raises(DataFileError):
        list(read_texts(path))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("d.jsonl", None, "no such file"),
        ("d.jsonl.gz", gzip.compress(GOOD.encode() * 99, mtime=0)[:-9], "the gzip data breaks off"),
        ("d.jsonl", gzip.compress(GOOD.encode(), mtime=0), "is gzip data: let its name end in .gz"),
        ("d.csv", b"txt,labels\na,b\n", "field 'text' is missing"),
        ("d.csv", b"", "has no header"),
        ("d.parquet", b"PAR1", "is not a readable Parquet file|need an optional dependency"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_never_skipped(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RamifyError, match=sentence):
        list(read_texts(tmp_path / name, on_bad=lambda error: None))


def test_plain_lines_that_are_not_utf8_can_be_skipped():
    errors: list[DataFileError] = []
    lines = numbered_lines(io.BytesIO(b"a\n\xff\nb\n"), errors.append)
    assert list(lines) == [(1, "a\n"), (3, "b\n")]
    assert [error.line for error in errors] == [2]


def test_a_quote_that_is_never_closed_does_not_hide_the_rest(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("text,labels\n" + '"never closed,x\n' + "good,x\n" * 50_000)
    errors: list[DataFileError] = []
    assert sum(1 for _ in read_texts(path, on_bad=errors.append)) == 50_000
    assert [str(error).partition(" in the row")[2][:23] for error in errors] == [" that begins in line 2)"]


def test_an_npz_header_that_claims_petabytes(tmp_path):
    path = tmp_path / "d.npz"
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X_data.npy", buffer.getvalue())
        archive.writestr("X_indptr.npy", buffer.getvalue())
    with pytest.raises(DataFileError):
        read(path)


def test_single_npy_named_npz(tmp_path):
    with (tmp_path / "d.npz").open("wb") as stream:
        np.save(stream, np.eye(2))
    with pytest.raises(DataFileError, match="holds a single array, not an archive"):
        read(tmp_path / "d.npz")


@pytest.mark.parametrize("wrong", ["text=", "text=a,,b", "labels= ", "separator=", "names_path=", "labels_path="])
@pytest.mark.parametrize("kind", [str, str.encode])
def test_fields_without_names(wrong, kind):
    name, value = wrong.split("=")
    with pytest.raises(InputError, match="but must be"):
        Fields(**{name: kind(value)})
