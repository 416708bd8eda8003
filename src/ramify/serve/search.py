"""Search in label names by prefix of the name or of a word in it, without regard to case and accents."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from ramify.values import Int64
from ramify.wording import without_accents

MOST_WORDS = 32
"""Words of a name that can be found."""

WORD = re.compile(r"\w+")


def folded(text: str) -> str:
    """A text without case and accents, with single spaces."""
    return " ".join(without_accents(text.casefold()).casefold().split())


class LabelSearch:
    """An index of label names.

    Parameters
    ----------
    names : sequence of str, length L
        Names by label id.
    counts : array of shape (L,), optional
        Numbers of training documents by label id; equal when None.
    """

    def __init__(self, names: Sequence[str], counts: Int64 | None = None) -> None:
        plain = [folded(name) for name in names]
        self._names = _Sorted((name, number) for number, name in enumerate(plain))
        self._inner = _Sorted(
            (name[start:], number) for number, name in enumerate(plain) for start in _starts(name) if start > 0
        )
        self._size = len(plain)
        alphabetical = np.empty(self._size, np.int64)
        alphabetical[self._names.numbers] = np.arange(self._size)
        # Rank by documents, then by name; the factor 2 leaves room between ranks of equal counts.
        frequent = np.zeros(self._size, np.int64) if counts is None else np.unique(-counts, return_inverse=True)[1]
        self._ranks = 2 * self._size * frequent + alphabetical

    def find(self, query: str, limit: int) -> list[int]:
        """Ids of at most ``limit`` labels.

        A name that equals the query comes first. The others follow by their number of training documents; of equal ones
        those whose name begins with the query come before those with such a word, each in alphabetical order.
        """
        prefix = folded(query)
        exact = self._names.equal(prefix).tolist()[:limit]
        begin = self._names.beginning(prefix)
        inner = self._inner.beginning(prefix) if prefix else begin[:0]
        ids = np.concatenate([begin, inner])
        ranks = self._ranks[ids]
        ranks[len(begin) :] += self._size
        if len(ranks) > 2 * MOST_WORDS * limit:  # a label may be there once per word
            best = np.argpartition(ranks, MOST_WORDS * limit)[: MOST_WORDS * limit]
            ids, ranks = ids[best], ranks[best]
        return list(dict.fromkeys([*exact, *ids[np.argsort(ranks)].tolist()]))[:limit]


class _Sorted:
    """Texts in alphabetical order, with the ids of their labels."""

    def __init__(self, entries: Iterable[tuple[str, int]]) -> None:
        ordered = sorted(entries)
        self._texts = [text for text, _ in ordered]
        self.numbers = np.array([number for _, number in ordered], np.int64)

    def equal(self, text: str) -> Int64:
        """Ids of the labels with a text."""
        return self.numbers[bisect_left(self._texts, text) : bisect_right(self._texts, text)]

    def beginning(self, prefix: str) -> Int64:
        """Ids of the labels whose texts begin with a prefix."""
        first = bisect_left(self._texts, prefix)
        return self.numbers[first : bisect_right(self._texts, prefix, first, key=lambda text: text[: len(prefix)])]


def _starts(name: str) -> Iterator[int]:
    return (word.start() for word in islice(WORD.finditer(name), MOST_WORDS))
