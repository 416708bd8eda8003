"""Label vectors from pretrained word vectors: a label is the mean of the words of its name."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from ramify.errors import DataFileError, InputError
from ramify.label_vectors.vectors import Given
from ramify.values import Float32

_WORD = re.compile(r"\w+")


def from_word_vectors(names: Sequence[str], vectors: str | PathLike[str] | Mapping[str, Float32]) -> Given:
    """Average the vectors of each name's words, lower-cased; words without a vector are skipped.

    Parameters
    ----------
    names : sequence of str, length L
        Label names.
    vectors : path-like or mapping of str to float array
        Word vectors: a GloVe or word2vec text file (a word and its numbers per line, ``.gz`` included; a header line
        with two numbers is skipped), or a dictionary.

    Returns
    -------
    Given
        A representation; names without any known word get a zero row.

    Raises
    ------
    DataFileError
        A file that is missing or has another format.
    InputError
        Vectors of different lengths, or none for any word of any name.
    """
    words = [_WORD.findall(name.lower()) for name in names]
    wanted = {word for name in words for word in name}
    if isinstance(vectors, Mapping):
        table = {word: np.asarray(vectors[word], np.float32) for word in wanted if word in vectors}
    else:
        table = read_word_vectors(vectors, wanted)
    widths = {vector.shape for vector in table.values()}
    if len(widths) != 1:
        found = "no word of any label name has a vector" if not widths else f"word vectors have shapes {sorted(widths)}"
        raise InputError(f"{found}: give vectors of one length, for lower-case words of the names")
    (width,) = next(iter(widths))
    Z = np.zeros((len(names), width), np.float32)
    for row, name in zip(Z, words, strict=True):
        known = [table[word] for word in name if word in table]
        if known:
            row[:] = np.mean(known, axis=0)
    return Given(Z)


def read_word_vectors(path: str | PathLike[str], wanted: set[str]) -> dict[str, Float32]:
    """The vectors of the given words in a GloVe or word2vec text file; DataFileError for other files."""
    path = Path(path)
    table: dict[str, Float32] = {}
    width = 0
    try:
        with _open(path) as lines:
            for number, fields in _split(lines):
                if number == 1 and len(fields) == 2:
                    continue
                width = width or len(fields) - 1
                if len(fields) - 1 != width or width < 1:
                    raise DataFileError(f"{len(fields) - 1} numbers, but {max(width, 1)} are expected", path, number)
                if fields[0] in wanted:
                    table.setdefault(fields[0], _numbers(fields[1:], path, number))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataFileError(f"the word vectors cannot be read ({error}): give a UTF-8 text file", path) from None
    return table


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _split(lines: IO[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, line.rstrip().split(" ")


def _numbers(fields: list[str], path: Path, line: int) -> Float32:
    try:
        vector = np.array(fields, np.float32)
    except ValueError:
        raise DataFileError("a word must be followed by numbers, separated by single spaces", path, line) from None
    if not np.isfinite(vector).all():
        raise DataFileError("a word vector contains NaN or infinite values", path, line)
    return vector
