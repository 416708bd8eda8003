"""Attribution to words by leaving out: how much a value falls when a word is removed from the text.

attribution(word) = value(text) - value(text without the word)
error             = |Σ attributions - (value(text) - value(empty text))|

The attributions of words that replace each other, or act together only, do not add up: the error states by how much. It
works for every model of texts. For dense features the value is the contribution of the dense block to the margins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ramify.values import Float64

MOST_UNITS = 256
"""Texts with more words are divided into this number of groups of consecutive words."""

Values = Callable[[list[str]], Float64]
"""Texts → the value of each."""


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """Attributions of the words of a text.

    Parameters
    ----------
    of : {"score", "dense block"}
        What is attributed: the score of the label, or the contribution of the dense block to the margins.
    spans : tuple of (int, int)
        First and last token of each unit that is left out: a word, or a group of words of a long text.
    values : float64 array, shape (units,)
        Attribution of each unit.
    whole, empty : float
        Value of the text and of the empty text.
    """

    of: str
    spans: tuple[tuple[int, int], ...]
    values: Float64
    whole: float
    empty: float

    @property
    def total(self) -> float:
        """What is to be attributed: value of the text less that of the empty text."""
        return self.whole - self.empty

    @property
    def error(self) -> float:
        """Difference between the sum of the attributions and ``total``, at least 0."""
        return abs(float(self.values.sum()) - self.total)

    @property
    def words_per_unit(self) -> int:
        """Words that are left out together at most; 1 for texts of up to 256 words."""
        return max((last - first + 1 for first, last in self.spans), default=1)


def occlude(values: Values, text: str, tokens: Sequence[tuple[int, int]], of: str = "score") -> Occlusion:
    """Leave out each word of a text.

    Parameters
    ----------
    values : callable
        Texts → float64 array of their values; called once.
    text : str
        The text.
    tokens : sequence of (int, int)
        Begin and end of its words.
    of : {"score", "dense block"}
        What the values are.
    """
    size = max(1, -(-len(tokens) // MOST_UNITS))
    spans = [(first, min(first + size, len(tokens)) - 1) for first in range(0, len(tokens), size)]
    without = [text[: tokens[first][0]] + text[tokens[last][1] :] for first, last in spans]
    found = np.asarray(values([text, *without, ""]), np.float64)
    return Occlusion(
        of=of, spans=tuple(spans), values=found[0] - found[1:-1], whole=float(found[0]), empty=float(found[-1])
    )
