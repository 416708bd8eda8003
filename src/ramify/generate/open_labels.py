"""Labels of open strings: the label of the same name, else of the nearest name above a similarity, else none.

similarity = cosine of the tf-idf vectors of n-grams of 2 to 4 characters within words
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ramify.generate.spelling import Spelling
from ramify.values import Int64

MOST_KEPT = 100_000
"""Strings whose label is kept."""


@dataclass(frozen=True)
class Written:
    """What a generator writes for one text, best first.

    Parameters
    ----------
    labels : list of (int, float)
        Labels with scores.
    proposals : list of (str, float)
        Strings that are not the name of a label, with scores; empty in closed decoding.
    """

    labels: list[tuple[int, float]]
    proposals: list[tuple[str, float]]


def normalized(name: str) -> str:
    """A name in lower case, with single blanks between its words, and none around punctuation marks."""
    words = "".join(letter if letter.isalnum() else f" {letter} " for letter in name.lower())
    return " ".join(words.split())


class NearestName:
    """Finds labels by strings.

    Parameters
    ----------
    names : sequence of str, length L
    labels : int array
        The labels that are found; of labels with equal tokens, one.
    similarity : float
        Least similarity of a string to a name that is not equal to it; 1: equal names only.
    """

    def __init__(self, names: Sequence[str], labels: Int64, similarity: float) -> None:
        self.labels, self.similarity = labels.tolist(), similarity
        self.names = [names[label] for label in self.labels]
        self._found: dict[str, int | None] = {}

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {normalized(name): label for label, name in zip(self.labels[::-1], self.names[::-1], strict=True)}

    @cached_property
    def _vectors(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
        return vectorizer, vectorizer.fit_transform(map(normalized, self.names)).T.tocsr()

    @cached_property
    def spelling(self) -> Spelling:
        """The spelling of the names, for strings that are no label."""
        return Spelling(self.names)

    def label_of(self, text: str) -> int | None:
        """The label of a string; None for a string that is no label's name and not similar to one."""
        text = normalized(text)
        if text not in self._found:
            if len(self._found) >= MOST_KEPT:
                self._found.clear()
            exact = self._exact.get(text)
            self._found[text] = self._nearest(text) if exact is None and self.similarity < 1 else exact
        return self._found[text]

    def _nearest(self, text: str) -> int | None:
        vectorizer, vectors = self._vectors
        similar = (vectorizer.transform([text]) @ vectors).tocsr()
        if similar.nnz == 0:
            return None
        best = int(np.lexsort((similar.indices, -similar.data))[0])
        return self.labels[similar.indices[best]] if similar.data[best] >= self.similarity else None
