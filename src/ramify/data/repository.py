"""The Extreme Classification Repository's text format: a header ``N D L``, then ``l1,l2 f:v f:v`` per instance.

A line without labels starts with a space. Lines are parsed in blocks, all numbers of a block at once; only a block
with an error is parsed token by token, to name the line and the error.
"""

from __future__ import annotations

import math
from array import array
from itertools import chain
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ramify.data.labels import NumberNames
from ramify.data.streams import Source, name_of, numbered_lines, writing
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset, Float32, Float64, as_csr, as_label_matrix

BLOCK_TOKENS = 1 << 17
LINE_BYTES = 1 << 26
"""Longest line: parsing one takes about 35 bytes of memory per byte."""
LARGEST_COUNT = 2**31 - 1
BEYOND_FLOAT32 = 2.0**128 - 2.0**103  # from here on, float32 rounds to infinity
COLON, SPACE = ord(":"), ord(" ")


def read(source: Source) -> Dataset:
    """Read features and labels; labels are named "0", "1", ... because the format has no names.

    The value of a feature that occurs twice in a line is the sum.

    Raises
    ------
    DataFileError
        A header that is not three counts, a line that does not parse, a number out of range, NaN or infinite
        values, a number of lines that differs from the header.
    """
    name = name_of(source)
    lines = numbered_lines(source, limit=LINE_BYTES)
    n_rows, n_features, n_labels = _header(next(lines, (1, ""))[1], name)
    parser = _Parser(n_features, n_labels, name)
    for number, line in lines:
        if parser.n_rows < n_rows:
            parser.add(number, line)
        elif line.strip():
            raise DataFileError(f"the header announces {n_rows} lines, but more follow: correct it", name, number)
    if parser.n_rows < n_rows:
        raise DataFileError(
            f"the header announces {n_rows} lines, but {parser.n_rows} follow: correct it, or copy the file again", name
        )
    return parser.finish()


def write(dataset: Dataset, path: Path) -> None:
    """Write X and Y; label names are not kept, because the format has no names."""
    X, Y = dataset.X, dataset.Y
    if X is None:
        raise InputError("the repository format (.txt) holds features, but the data are texts: write .jsonl instead")
    with writing(path) as stream:
        stream.write(f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}\n".encode())
        for row in range(len(dataset)):
            labels = ",".join(map(str, Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist()))
            span = slice(X.indptr[row], X.indptr[row + 1])
            pairs = zip(X.indices[span].tolist(), X.data[span].tolist(), strict=True)
            features = " ".join(f"{feature}:{value:.9g}" for feature, value in pairs)  # 9 digits give float32 back
            stream.write(f"{labels} {features}\n".encode())


def _header(line: str, name: str) -> tuple[int, int, int]:
    words = line.split()
    if not words:
        raise DataFileError("is empty: its first line must be the header 'N D L'", name)
    if len(words) != 3 or not all(word.isdecimal() for word in words):
        raise DataFileError(
            f"the first line is {line.strip()[:60]!r}, but must be the header 'N D L' (instances, features, labels); "
            "texts belong in .jsonl or .csv",
            name,
            1,
        )
    if max(map(len, words)) > 10 or max(map(int, words)) > LARGEST_COUNT:
        raise DataFileError(f"the header's counts must be at most {LARGEST_COUNT}: correct it", name, 1)
    return int(words[0]), int(words[1]), int(words[2])


class _Parser:
    """Collects lines and parses them in blocks."""

    def __init__(self, n_features: int, n_labels: int, name: str) -> None:
        self.n_rows = 0
        self._n_features, self._n_labels, self._name = n_features, n_labels, name
        self._features, self._values, self._labels = array("i"), array("f"), array("i")
        self._feature_ends, self._label_ends = array("q", [0]), array("q", [0])
        self._clear()

    def add(self, number: int, line: str) -> None:
        tokens = line.split()
        if tokens and ":" not in tokens[0]:
            labels = tokens.pop(0).split(",")
            self._label_tokens += labels
        self._feature_tokens += tokens
        self._lines.append((number, line))
        self._feature_ends.append(len(self._features) + len(self._feature_tokens))
        self._label_ends.append(len(self._labels) + len(self._label_tokens))
        self.n_rows += 1
        if len(self._feature_tokens) + len(self._label_tokens) + len(self._lines) > BLOCK_TOKENS:
            self._flush()

    def finish(self) -> Dataset:
        self._flush()
        X = _matrix(self._values, self._features, self._feature_ends, self._n_features)
        ones = np.ones(len(self._labels), np.float32)
        Y = _matrix(ones, self._labels, self._label_ends, self._n_labels)
        try:
            return Dataset(X=as_csr(X), Y=as_label_matrix(Y), label_names=NumberNames(self._n_labels))
        except InputError as error:  # values of one feature in one line that add up to infinity
            raise DataFileError(str(error), self._name) from None

    def _flush(self) -> None:
        try:
            features, values = _feature_numbers(self._feature_tokens)
            labels = np.array(list(map(int, self._label_tokens)), np.int64)
        except (ValueError, OverflowError):
            raise self._explanation() from None
        sound = _within(features, self._n_features) and _within(labels, self._n_labels)
        if not sound or not (np.abs(values) < BEYOND_FLOAT32).all():
            raise self._explanation()
        self._features.frombytes(features.astype(np.int32).tobytes())
        self._values.frombytes(values.astype(np.float32).tobytes())
        self._labels.frombytes(labels.astype(np.int32).tobytes())
        self._clear()

    def _clear(self) -> None:
        self._lines: list[tuple[int, str]] = []
        self._feature_tokens: list[str] = []
        self._label_tokens: list[str] = []

    def _explanation(self) -> DataFileError:
        for number, line in self._lines:
            problem = _problem(line, self._n_features, self._n_labels)
            if problem:
                return DataFileError(problem, self._name, number)
        return DataFileError("does not parse: write lines as 'l1,l2 f:v f:v'", self._name, self._lines[0][0])


def _feature_numbers(tokens: list[str]) -> tuple[Float64, Float64]:
    """Ids and values of ``f:v`` tokens; ValueError when any is not of that form."""
    if not tokens:
        return np.zeros(0), np.zeros(0)
    joined = " ".join(tokens)
    raw = np.frombuffer(joined.encode("ascii"), np.uint8)
    marks = raw[(raw == COLON) | (raw == SPACE)]
    if len(marks) != 2 * len(tokens) - 1 or (marks[::2] != COLON).any() or "_" in joined:
        raise ValueError("not f:v")
    flat = np.array(list(map(float, chain.from_iterable(token.split(":") for token in tokens))))
    return flat[::2], flat[1::2]


def _within(ids: np.ndarray[tuple[int, ...], np.dtype[np.float64 | np.int64]], count: int) -> bool:
    return not len(ids) or bool(((ids >= 0) & (ids < count) & (ids == np.floor(ids))).all())


def _matrix(data: array[float] | Float32, indices: array[int], indptr: array[int], width: int) -> sp.csr_matrix:
    parts = (np.asarray(data, np.float32), np.asarray(indices, np.int32), np.asarray(indptr, np.int64))
    return sp.csr_matrix(parts, shape=(len(indptr) - 1, width))


def _problem(line: str, n_features: int, n_labels: int) -> str | None:
    """The error in one line, parsed token by token."""
    tokens = line.split()
    if tokens and ":" not in tokens[0]:
        for label in tokens.pop(0).split(","):
            if problem := _id_problem("label", label, n_labels):
                return problem
    for token in tokens:
        feature, colon, value = token.partition(":")
        if not colon:
            return f"{token[:40]!r} is no 'feature:value': write lines as 'l1,l2 f:v f:v'"
        if problem := _id_problem("feature", feature, n_features) or _value_problem(value):
            return problem
    return None


def _id_problem(kind: str, text: str, count: int) -> str | None:
    if not text.removeprefix("-").isdecimal():
        return f"the {kind} {text[:40]!r} is no whole number: write lines as 'l1,l2 f:v f:v'"
    if text.startswith("-") or len(text) > 10 or int(text) >= count:
        return f"{kind} {text[:40]} is outside 0..{count - 1}, which the header announces: correct one of them"
    return None


def _value_problem(text: str) -> str | None:
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return f"the value {text[:40]!r} is no number: write lines as 'l1,l2 f:v f:v'"
    if not abs(value) < BEYOND_FLOAT32:
        return f"the value {text[:40]} is NaN, infinite or beyond float32: remove or scale it"
    return None
