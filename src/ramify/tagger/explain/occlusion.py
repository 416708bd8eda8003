"""Attribution to words by leaving out the others: sampled Shapley values, for models of texts and dense features.

attribution(word) = mean over orders of  value(words up to this one) - value(words before it)

Erik Štrumbelj, Igor Kononenko: An Efficient Explanation of Individual Classifications using Game Theory, JMLR 11, 2010
(docs/papers.md, Words left out).

The orders are random ones and their reverses. In every order the differences add up to value(text) - value(empty text).
Leaving out single words would attribute nothing to words that replace each other, and little to words of an embedding
of length 1. The error is that of the sample of orders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ramify.values import Float64, Int64

MOST_UNITS = 64
"""Texts with more words are divided into this number of groups of consecutive words."""

ORDERS = 4
"""Orders of the words: half of them random, the others their reverses."""

Values = Callable[[list[str]], Float64]
"""Texts → the values of m labels, shape (texts, m)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Occlusion:
    """Attributions of the words of a text.

    Parameters
    ----------
    of : {"score", "dense block"}
        What is attributed: the score of the label, or the contribution of the dense block to the margins.
    spans : tuple of (int, int)
        First and last token of each unit: a word, or a group of words of a long text.
    values : float64 array, shape (units,)
        Attribution of each unit.
    errors : float64 array, shape (units,)
        Standard error of each attribution, over the orders.
    whole, empty : float
        Value of the text and of the empty text.
    """

    of: str
    spans: tuple[tuple[int, int], ...]
    values: Float64
    errors: Float64
    whole: float
    empty: float

    @property
    def total(self) -> float:
        """What is attributed: value of the text less that of the empty text."""
        return self.whole - self.empty

    @property
    def gap(self) -> float:
        """|Σ values - total|: rounding only, for a text with words."""
        return abs(float(self.values.sum()) - self.total)

    @property
    def error(self) -> float:
        """Standard error of an attribution: the root of the mean square over the words."""
        return float(np.sqrt(np.square(self.errors).mean())) if len(self.errors) else 0.0

    @property
    def words_per_unit(self) -> int:
        """Words that are left out together at most; 1 for texts of up to 64 words."""
        return max((last - first + 1 for first, last in self.spans), default=1)


def occlude(values: Values, text: str, tokens: Sequence[tuple[int, int]], of: str = "score") -> list[Occlusion]:
    """The attributions for each label.

    Parameters
    ----------
    values : callable
        Texts → float64 array, shape (texts, m); called once, with about 4 texts per word.
    text : str
        The text.
    tokens : sequence of (int, int)
        Begin and end of its words.
    of : {"score", "dense block"}
        What the values are.
    """
    size = max(1, -(-len(tokens) // MOST_UNITS))
    spans = [(first, min(first + size, len(tokens)) - 1) for first in range(0, len(tokens), size)]
    orders = _orders(len(spans))
    shown = [[_with_units(text, tokens, spans, set(order[:count])) for count in range(len(spans))] for order in orders]
    numbers = {one: at for at, one in enumerate(dict.fromkeys([text, "", *(one for row in shown for one in row)]))}
    found = np.asarray(values(list(numbers)), np.float64)
    steps = np.zeros((len(orders), len(spans), found.shape[1]))
    for order, texts, step in zip(orders, shown, steps, strict=True):
        along = found[[numbers[one] for one in [*texts, text]]]
        step[order] = np.diff(along, axis=0)
    errors = steps.std(axis=0, ddof=1) / np.sqrt(len(orders))
    return [
        Occlusion(
            of=of,
            spans=tuple(spans),
            values=steps[:, :, label].mean(axis=0),
            errors=errors[:, label],
            whole=float(found[numbers[text], label]),
            empty=float(found[numbers[""], label]),
        )
        for label in range(found.shape[1])
    ]


def _orders(n_units: int) -> list[Int64]:
    """Random orders, each with its reverse; the same for every text of this length."""
    rng = np.random.default_rng(0)
    random = [rng.permutation(n_units) for _ in range(ORDERS // 2)]
    return [order for one in random for order in (one, one[::-1])]


def _with_units(text: str, tokens: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]], kept: set[int]) -> str:
    """The text without the words of the other units; empty without any unit."""
    if not kept:
        return ""
    pieces, at = [], 0
    for number, (first, last) in enumerate(spans):
        if number not in kept:
            pieces.append(text[at : tokens[first][0]])
            at = tokens[last][1]
    return "".join([*pieces, text[at:]])
