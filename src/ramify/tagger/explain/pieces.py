"""The words of a text from which the columns of its features come: found by vectorizing pieces of the text alone.

pieces  = words, then chunks between blanks, then windows of 2, 3, ... words, up to the longest n-gram
places  = of a column: the smallest pieces that have the column, wherever they are in the text

Pieces are vectorized by the vectorizer itself, so that stems, hashes, character n-grams and a user's own vectorizer
need no code here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ramify.features import Concatenated, Hashing, Tfidf
from ramify.features.concatenated import width_of
from ramify.features.dense_text import DenseText
from ramify.kernels.grams import RUN_SCRIPTS
from ramify.values import as_csr

Span = tuple[int, int]
"""First and last number of a token of the text."""

UNKNOWN_LENGTH = 2
"""Longest n-gram of words that is looked for in a vectorizer without known settings."""


@dataclass(frozen=True)
class Part:
    """A vectorizer with sparse columns, and the first of them."""

    vectorizer: Any
    first: int


def sparse_parts(vectorizer: Any) -> list[Part]:
    """The vectorizers of the sparse columns, in the order of the columns; empty for dense features."""
    if vectorizer is None or isinstance(vectorizer, DenseText):
        return []
    if not isinstance(vectorizer, Concatenated):
        return [Part(vectorizer, 0)]
    first = sparse_parts(vectorizer.first_)
    end = 0 if not first else first[-1].first + _width(first[-1].vectorizer)
    return first + [Part(part.vectorizer, part.first + end) for part in sparse_parts(vectorizer.second_)]


def _width(vectorizer: Any) -> int:
    known = width_of(vectorizer)
    return int(vectorizer.transform(["a"]).shape[1]) if known is None else known


@dataclass(frozen=True)
class Pieces:
    """A text, its tokens, and the places of columns.

    Parameters
    ----------
    text : str
        The text.
    tokens : sequence of (int, int)
        Begin and end of each word in the text, in characters.
    places : dict of int to list of Span
        Columns of the vectorizer with the tokens that they come from; columns that no piece has are missing.
    """

    text: str
    tokens: Sequence[tuple[int, int]]
    places: dict[int, list[Span]]

    @classmethod
    def of(cls, vectorizer: Any, text: str, columns: Sequence[int]) -> Pieces:
        """The places of columns of a fitted vectorizer in one text."""
        parts = sparse_parts(vectorizer)
        tokens = tokens_of(text, runs=not parts or any(_has_runs(part.vectorizer) for part in parts))
        places: dict[int, list[Span]] = {}
        for part, end in zip(parts, [*(part.first for part in parts[1:]), 2**31], strict=False):
            own = {column - part.first for column in columns if part.first <= column < end}
            found = _places(part.vectorizer, text, tokens, own)
            places |= {column + part.first: spans for column, spans in found.items()}
        return cls(text, tokens, places)

    def tokens_in(self, begin: int, end: int) -> list[Span]:
        """The span of the tokens within ``text[begin:end]``; empty if there are none."""
        first = bisect_left(self.tokens, (begin, begin))
        last = bisect_left(self.tokens, (end, end)) - 1
        return [(first, last)] if first <= last else []

    def phrase(self, span: Span) -> str:
        """The text of a span, in lower case and with single blanks."""
        return " ".join(self.text[self.tokens[span[0]][0] : self.tokens[span[1]][1]].lower().split())


@cache
def _token_pattern(runs: bool) -> re.Pattern[str]:
    if not runs:
        return re.compile(r"\w+")
    ranges = "".join(f"{chr(first)}-{chr(last)}" for first, last in RUN_SCRIPTS)
    return re.compile(rf"[{ranges}]|[^\W{ranges}]+")


def tokens_of(text: str, *, runs: bool = False) -> list[tuple[int, int]]:
    """Begin and end of the words of a text; with ``runs``, each character of a script without blanks is one."""
    return [found.span() for found in _token_pattern(runs).finditer(text)]


def _has_runs(vectorizer: Any) -> bool:
    return isinstance(vectorizer, Tfidf) and vectorizer.plan_.runs is not None


def has_stems(vectorizer: Any) -> bool:
    """Whether words are replaced by their stems."""
    tfidf = [part.vectorizer for part in sparse_parts(vectorizer) if isinstance(part.vectorizer, Tfidf)]
    return any(one.plan_.stemmer is not None for one in tfidf)


def _longest(vectorizer: Any) -> int:
    """Words of the longest n-gram."""
    if isinstance(vectorizer, Tfidf | Hashing):
        grams = vectorizer.plan_ if isinstance(vectorizer, Tfidf) else vectorizer
        ranges = [grams.words, getattr(grams, "runs", None)]
        across = UNKNOWN_LENGTH if grams.characters is not None and not vectorizer.within_words else 1
        return max([across, *(given[1] for given in ranges if given is not None)])
    lengths = getattr(vectorizer, "ngram_range", None)
    word_wise = getattr(vectorizer, "analyzer", "word") == "word"
    return int(lengths[1]) if word_wise and isinstance(lengths, tuple) else UNKNOWN_LENGTH


def _places(vectorizer: Any, text: str, tokens: Sequence[tuple[int, int]], wanted: set[int]) -> dict[int, list[Span]]:
    found: dict[int, list[Span]] = {}
    for windows in _windows(text, tokens, _longest(vectorizer)):
        missing = wanted - found.keys()
        if not missing:
            break
        numbers = {piece: number for number, piece in enumerate(dict.fromkeys(piece for _, piece in windows))}
        if not numbers:
            continue
        X = as_csr(vectorizer.transform(list(numbers)))
        kept = np.isin(X.indices, np.fromiter(missing, np.int64, len(missing)))
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[kept]
        columns: dict[int, list[int]] = {}
        for row, column in zip(rows.tolist(), X.indices[kept].tolist(), strict=True):
            columns.setdefault(row, []).append(column)
        for span, piece in windows:
            for column in columns.get(numbers[piece], ()):
                found.setdefault(column, []).append(span)
    return found


def _windows(text: str, tokens: Sequence[tuple[int, int]], longest: int) -> Iterator[list[tuple[Span, str]]]:
    """Spans with their text: single tokens, chunks between blanks with their punctuation, and windows of words."""
    yield [((number, number), text[begin:end]) for number, (begin, end) in enumerate(tokens)]
    yield _chunks(text, tokens)
    words = [number for number, (begin, end) in enumerate(tokens) if end - begin > 1 or not text[begin].isascii()]
    for size in range(2, longest + 1):
        spans = [(words[at], words[at + size - 1]) for at in range(len(words) - size + 1)]
        yield [((first, last), text[tokens[first][0] : tokens[last][1]]) for first, last in spans]


def _chunks(text: str, tokens: Sequence[tuple[int, int]]) -> list[tuple[Span, str]]:
    found, begins = [], [begin for begin, _ in tokens]
    for chunk in re.finditer(r"\S+", text):
        first, end = bisect_left(begins, chunk.start()), bisect_left(begins, chunk.end())
        if end > first:
            found.append(((first, end - 1), chunk[0]))
    return found
