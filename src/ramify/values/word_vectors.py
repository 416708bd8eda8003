"""Files of word vectors in the text format of word2vec and GloVe: a word and its numbers per line."""

from __future__ import annotations

import gzip
from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from ramify.errors import DataFileError
from ramify.values.types import Float32


def read_word_vectors(path: str | PathLike[str], wanted: Collection[str], n_first: int = 0) -> dict[str, Float32]:
    """The vectors of the given words, and of the first words of the file.

    Parameters
    ----------
    path : path-like
        A text file, UTF-8, also with ``.gz``; a first line of two numbers is skipped. The first word gives the length
        of the vectors; further words may contain spaces, as in GloVe.
    wanted : collection of str
        Words to read.
    n_first : int, default 0
        Words at the beginning of the file to read as well; files list frequent words first.

    Returns
    -------
    dict of str to float32 array, shape (m,)
        In the order of the file; the first vector of a repeated word.

    Raises
    ------
    DataFileError
        A file that is missing or has another format.
    """
    path = Path(path)
    table: dict[str, Float32] = {}
    width = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                n_spaces = line.rstrip().count(" ")
                if not line.strip() or (number == 1 and n_spaces == 1):
                    continue
                width = width or n_spaces
                fields = line.rstrip().rsplit(" ", max(width, 1))
                if len(fields) - 1 != width or width < 1 or _ends_in_a_number(fields[0]):
                    raise DataFileError(f"{n_spaces} numbers, but {max(width, 1)} are expected", path, number)
                if number <= n_first or fields[0] in wanted:
                    table.setdefault(fields[0], _numbers(fields[1:], path, number))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataFileError(f"the word vectors cannot be read ({error}): give a UTF-8 text file", path) from None
    return table


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _ends_in_a_number(word: str) -> bool:
    """Whether a word with spaces ends in a number: then the line has more numbers than the first line."""
    _, space, last = word.rpartition(" ")
    try:
        return bool(space) and np.isfinite(float(last))
    except ValueError:
        return False


def _numbers(fields: list[str], path: Path, line: int) -> Float32:
    try:
        vector = np.array(fields, np.float32)
    except ValueError:
        raise DataFileError("a word must be followed by numbers, separated by single spaces", path, line) from None
    if not np.isfinite(vector).all():
        raise DataFileError("a word vector contains NaN or infinite values", path, line)
    return vector
