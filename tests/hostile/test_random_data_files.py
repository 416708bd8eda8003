"""Files of random bytes, and data files with bytes changed or cut, give a result or an InputError."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ramify.data import read, read_column, read_features, read_texts, write
from ramify.errors import InputError
from ramify.values import Dataset


def original(name: str) -> bytes:
    Y = sp.csr_matrix(np.array([[1, 0], [1, 1]], np.float32))
    X = sp.csr_matrix(np.array([[0.5, 0, 1], [0, 2, 0]], np.float32))
    dataset = Dataset(Y=Y, label_names=["x", "y"], texts=["one, two", "drei"], X=X)
    with TemporaryDirectory() as folder:
        write(dataset, Path(folder, name))
        return Path(folder, name).read_bytes()


FUZZED = ["d.jsonl", "d.jsonl.gz", "d.csv", "d.tsv", "d.txt", "d.txt.gz", "d.npz"]


def read_in_every_way(path: Path) -> None:
    for way in (read, read_features, lambda file: list(read_texts(file)), lambda file: read_column(file, "id")):
        try:
            way(path)
        except InputError as error:
            assert str(error)


@pytest.mark.parametrize("name", FUZZED)
@settings(max_examples=60, deadline=None)
@example(b"\xef\xbb\xbf")
@given(st.binary(max_size=80) | st.text('0123456789:, .-ne"{}[]\n', max_size=60).map(str.encode))
def test_random_bytes(name, content):
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        read_in_every_way(path)


@pytest.mark.parametrize("name", [*FUZZED, "d.parquet"])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_real_files_with_bytes_changed_or_cut(name, data):
    if name == "d.parquet":
        pytest.importorskip("pyarrow")
    content = bytearray(original(name))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        read_in_every_way(path)
