"""Label vectors from pretrained word vectors: a label is the mean of the words of its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np

from ramify.errors import InputError
from ramify.label_vectors.vectors import Given
from ramify.values import Float32
from ramify.values.word_vectors import read_word_vectors

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
