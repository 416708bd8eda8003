"""Stems of words for the text kernels: each distinct word is stemmed once, by a function of the caller.

The kernels find the words that a table of stems lacks, the function stems them, and a second pass reads the texts with
both tables. A table never changes, so that several threads may use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import ramify._native as _native  # noqa: PLR0402 (mypy loses a skipped module that comes by "from")
from ramify.errors import InputError
from ramify.kernels.grams import Grams
from ramify.values import Int64

StemWords = Callable[[Sequence[str]], Sequence[str]]

_OFF = (0, 0)


def native_grams(
    grams: Grams, stems: _native.TextStems | None = None, more: _native.TextStems | None = None
) -> _native.GramSettings:
    """Settings of the n-grams for the kernels, with up to two tables of stems."""
    return _native.GramSettings(
        grams.words or _OFF,
        grams.characters or _OFF,
        grams.runs or _OFF,
        grams.within_words,
        grams.lowercase,
        stems,
        more,
    )


class Stems:
    """A function that stems words, and a table of the stems of known words.

    Parameters
    ----------
    stem_words : callable
        Sequence of words → as many stems, none of them empty; a function of each word alone.
    known : sequence of str
        Words to stem at once, so that texts with them are read faster.
    """

    def __init__(self, stem_words: StemWords, known: Sequence[str] = ()) -> None:
        self._stem_words = stem_words
        self._table = self._stemmed(tuple(known)) if len(known) else None

    def settings_for(
        self, texts: tuple[str, ...], table: npt.NDArray[np.uint32], grams: Grams, threads: int
    ) -> _native.GramSettings:
        """Settings of the n-grams with the stems of all words of these texts."""
        known = native_grams(grams, self._table)
        words, _ = _native.words_without_stem(texts, table, known, threads)
        return native_grams(grams, self._table, self._stemmed(tuple(words))) if words else known

    def learn(
        self, texts: tuple[str, ...], table: npt.NDArray[np.uint32], grams: Grams, threads: int
    ) -> tuple[_native.GramSettings, list[str], Int64]:
        """Settings of the n-grams with the stems of all words of these texts; the words, and how often they occur."""
        words, counts = _native.words_without_stem(texts, table, native_grams(grams), threads)
        return native_grams(grams, self._stemmed(tuple(words))), words, np.array(counts, np.int64)

    def _stemmed(self, words: tuple[str, ...]) -> Any:
        stems = tuple(self._stem_words(words))
        if len(stems) != len(words) or not all(isinstance(stem, str) and stem for stem in stems):
            raise InputError(f"the stemmer gave {len(stems)} stems for {len(words)} words: none may be empty")
        return _native.TextStems(words, stems)


def most_frequent(words: Sequence[str], counts: Int64, most: int) -> list[str]:
    """The most frequent words, sorted. Ties are broken by the word, so that the order of the words has no effect."""
    if len(words) <= most:
        return sorted(words)
    lowest = np.partition(counts, -most)[-most]
    above = [words[i] for i in np.flatnonzero(counts > lowest).tolist()]
    equal = sorted(words[i] for i in np.flatnonzero(counts == lowest).tolist())
    return sorted(above + equal[: most - len(above)])
