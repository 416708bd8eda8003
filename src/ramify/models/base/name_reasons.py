"""Reasons of a score that names of labels in the text have; they refer to places in the text, not to columns of X."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NameMatch:
    """An occurrence of a name in a text.

    Parameters
    ----------
    label : int
        Label id.
    kind : {"preferred", "alternative", "derived"}
        Kind of the name.
    begin, end : int
        ``text[begin:end]`` goes from the first to the last word of the name.
    phrase : bool
        True: the words of the name follow each other; False: they are in one sentence.
    """

    label: int
    kind: str
    begin: int
    end: int
    phrase: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class NameReason:
    """The score of a label whose names occur in the text.

    Parameters
    ----------
    matches : tuple of NameMatch
        The occurrences; empty if no name of the label occurs.
    features : mapping of str to float
        Features of the label in this text, from which the trees compute the score.
    score : float
        Score of the label; 0 if no name of the label occurs.
    ranked : bool
        Whether a name of the label occurs.
    """

    matches: tuple[NameMatch, ...]
    features: Mapping[str, float]
    score: float
    ranked: bool

    def places(self) -> list[tuple[int, int, float]]:
        """(begin, end, part of the score) of each occurrence; all parts are equal."""
        return [(one.begin, one.end, self.score / len(self.matches)) for one in self.matches]
