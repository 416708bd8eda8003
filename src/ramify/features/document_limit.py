"""Limits of the number of texts that an n-gram is in: the settings ``min_df`` and ``max_df`` of ``Tfidf``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.checks import Real, Rule, Whole


@dataclass(frozen=True)
class DocumentLimit(Rule):
    """A number of texts, as a whole number, or a share of them, as a float."""

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return "a whole number of at least 1 or a share from 0.0 to 1.0"

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        if isinstance(value, str):
            return False
        whole = isinstance(value, int | np.integer)
        return Whole(1, math.inf).fits(value) if whole else Real(0, 1).fits(value)

    def from_text(self, text: str) -> float:
        """See ``Rule``."""
        return int(text) if text.strip().isdecimal() else float(text)

    def plain(self, value: Any) -> float:
        """See ``Rule``."""
        return int(value) if isinstance(value, int | np.integer) else float(value)


def document_limit(value: Any, n_documents: int) -> float:
    """A number of texts: a whole number is one, a float is a share."""
    limit = DocumentLimit().plain(value)
    return limit if isinstance(limit, int) else limit * n_documents
