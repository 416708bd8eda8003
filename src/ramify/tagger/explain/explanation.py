"""``Explanation``: why a tagger gives labels to a text, with views for terminals, notebooks, Markdown and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

from ramify.models.base.reasons import Reason
from ramify.tagger.explain.names import Names
from ramify.tagger.explain.occlusion import Occlusion

DEFAULT_TOP = 5
"""Words for and against a label that are shown."""

SHADES = 4
"""Strengths of highlighting."""

STANDARD_ERRORS = 2
"""Words left out whose strength is under this number of standard errors are not shown."""

FAINT = 0.05
"""Words below this share of the strongest word are not highlighted."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A word, phrase or feature with its strength.

    Parameters
    ----------
    text : str
        As in the text, in lower case; the name of the feature if the text has no such word.
    strength : float
        Above 0 for the label, below 0 against it (see ``LabelExplanation.unit``).
    error : float, default 0.0
        Standard error of the strength, where words are left out.
    """

    text: str
    strength: float
    error: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of the text with its strength and standard error: ``text[begin:end]``."""

    begin: int
    end: int
    strength: float
    error: float = 0.0


def _is_certain(part: Term | Word) -> bool:
    """Whether a strength is at least 2 standard errors."""
    return abs(part.strength) >= STANDARD_ERRORS * part.error


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelExplanation:
    """The reasons of one label.

    Parameters
    ----------
    label : str
        Name of the label.
    number : int
        Label id.
    score : float
        Score of the prediction.
    ranked : bool
        Whether the prediction reaches the label; if not, the score is what it would be, or 0.
    reason : Reason or None
        The computation of the score (``models.base.reasons``), in columns of the model's features and label ids; None
        for a model without ``reasons``.
    terms : tuple of Term
        Words, phrases and features by descending absolute strength. Their sum is that of all contributions.
    words : tuple of Word
        Words of the text in their order; the strength of a phrase is divided among its words.
    unit : str
        What a strength is.
    occlusion : Occlusion or None
        Attribution by leaving out words, with its error.
    names : Names
        Names of columns and labels.
    """

    label: str
    number: int
    score: float
    ranked: bool
    reason: Reason | None
    terms: tuple[Term, ...]
    words: tuple[Word, ...]
    unit: str
    occlusion: Occlusion | None
    names: Names

    def strongest(self, top: int = DEFAULT_TOP) -> tuple[list[Term], list[Term]]:
        """The strongest terms for and against the label, at most ``top`` each, without those of ``n_uncertain``."""
        certain = [term for term in self.terms if _is_certain(term)]
        positive = [term for term in certain if term.strength > 0]
        negative = [term for term in certain if term.strength < 0]
        return positive[:top], negative[:top]

    @property
    def n_uncertain(self) -> int:
        """Number of terms whose strength is under 2 standard errors; they are not shown."""
        return sum(not _is_certain(term) for term in self.terms)

    def segments(self, text: str) -> list[tuple[str, int]]:
        """The text in pieces with a shade each: -4 to -1 against the label, 1 to 4 for it, 0 for neither."""
        most = max((abs(word.strength) for word in self.words), default=0.0)
        pieces, at = [], 0
        for word in self.words:
            if abs(word.strength) <= FAINT * most or not _is_certain(word):
                continue
            shade = ceil(SHADES * abs(word.strength) / most) * (1 if word.strength > 0 else -1)
            pieces += [(text[at : word.begin], 0), (text[word.begin : word.end], shade)]
            at = word.end
        return [piece for piece in [*pieces, (text[at:], 0)] if piece[0]]

    def as_dict(self, top: int = DEFAULT_TOP) -> dict[str, Any]:
        """Values for JSON, with the ``top`` strongest terms for and against, and features of each classifier."""
        from ramify.tagger.explain.summary import label_section

        record: dict[str, Any] = {"label": self.label, "score": self.score, "ranked": self.ranked}
        return record | self.reasons_dict(top) | {"computation": label_section(self, top).as_dict()}

    def reasons_dict(self, top: int = DEFAULT_TOP) -> dict[str, Any]:
        """The ``top`` strongest terms for and against, their unit, and the error of an occlusion, for JSON."""
        positive, negative = self.strongest(top)
        record: dict[str, Any] = {"unit": self.unit}
        for name, terms in (("for", positive), ("against", negative)):
            record[name] = [{"text": term.text, "strength": term.strength} for term in terms]
        if self.occlusion is not None:
            found = self.occlusion
            record["occlusion"] = {"of": found.of, "whole": found.whole, "empty": found.empty, "error": found.error}
            record["occlusion"]["uncertain"] = self.n_uncertain
        return record


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Why a tagger gives labels to a text.

    In a notebook it shows itself as HTML; ``print`` shows plain text.

    Parameters
    ----------
    text : str or None
        The text; None for a tagger of features.
    model : str
        Class name of the model.
    labels : tuple of LabelExplanation
        In the order in which they were given, or the best label.
    """

    text: str | None
    model: str
    labels: tuple[LabelExplanation, ...]

    def __getitem__(self, label: str) -> LabelExplanation:
        """The reasons of one label, by its name; KeyError for a label that is not explained."""
        return self._by_name[label]

    @cached_property
    def _by_name(self) -> dict[str, LabelExplanation]:
        return {one.label: one for one in self.labels}

    def as_dict(self, top: int = DEFAULT_TOP) -> dict[str, Any]:
        """Values for JSON, with at most ``top`` terms and features per list."""
        return {"text": self.text, "model": self.model, "labels": [one.as_dict(top) for one in self.labels]}

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, top: int = DEFAULT_TOP) -> str:
        """Plain text: per label the strongest terms and the computation of the score."""
        from ramify.tagger.explain.plain import explanation_text

        return explanation_text(self, top)

    def to_markdown(self, top: int = DEFAULT_TOP) -> str:
        """Markdown: words for a label are bold, words against it are struck through."""
        from ramify.tagger.explain.plain import explanation_markdown

        return explanation_markdown(self, top)

    def to_html(self, top: int = DEFAULT_TOP, *, style: bool = True) -> str:
        """A fragment of HTML without scripts; all names and texts are escaped.

        Parameters
        ----------
        top : int, default 5
            Terms and features per list.
        style : bool, default True
            Whether the style sheet is included; a page with several fragments needs it once.
        """
        from ramify.tagger.explain.html import explanation_html

        return explanation_html(self, top, style=style)

    def _repr_html_(self) -> str:
        return self.to_html()
