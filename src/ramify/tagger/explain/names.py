"""Names of the columns of a tagger's features, of labels and of clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.features import Tfidf
from ramify.tagger.explain.pieces import sparse_parts
from ramify.values import Int32, Int64

if TYPE_CHECKING:
    from ramify.tagger.fitted import FittedTagger

NAMED_LABELS = 3
"""Labels that describe a cluster."""


@dataclass(frozen=True)
class FeatureNames:
    """Names of the sparse columns of a vectorizer; those without a name, as hashed ones, have none.

    Parameters
    ----------
    vectorizer : Vectorizer or None
        Fitted; None for a tagger of features.
    """

    vectorizer: Any
    _lists: dict[int, Sequence[str]] = field(default_factory=dict)

    def name(self, column: int) -> str | None:
        """The name of a column, from 0 to d - 1."""
        parts = [part for part in sparse_parts(self.vectorizer) if part.first <= column]
        if not parts:
            return None
        names = self._names(parts[-1].vectorizer)
        return None if names is None else str(names[column - parts[-1].first])

    def _names(self, vectorizer: Any) -> Sequence[str] | None:
        if isinstance(vectorizer, Tfidf):
            return vectorizer.vocabulary_
        if not hasattr(vectorizer, "get_feature_names_out"):
            return None
        if id(vectorizer) not in self._lists:
            self._lists[id(vectorizer)] = vectorizer.get_feature_names_out()
        return self._lists[id(vectorizer)]


@dataclass(frozen=True)
class Names:
    """Names for one explanation.

    Parameters
    ----------
    features : dict of int to str
        Names of the model's columns.
    labels : sequence of str
        Names of the labels, by number.
    counts : int64 array, shape (L,), or None
        Training documents of each label.
    """

    features: dict[int, str]
    labels: Any
    counts: Int64 | None = None

    def feature(self, column: int) -> str:
        """The name of a column of the model."""
        return self.features.get(column, f"feature {column}")

    def cluster(self, labels: Int32) -> str:
        """A cluster by its most frequent labels."""
        distinct = np.unique(labels)
        if self.counts is not None:
            distinct = distinct[np.argsort(-self.counts[distinct], kind="stable")]
        some = ", ".join(self.labels[label] for label in distinct[:NAMED_LABELS].tolist())
        return some if len(distinct) <= NAMED_LABELS else f"{some}, ..."

    def of_clusters(self) -> Names:
        """The same for a matcher, whose labels are clusters."""
        return Names(self.features, _Numbered())


class _Numbered:
    """Names of clusters."""

    def __getitem__(self, number: int) -> str:
        return f"cluster {number}"


def model_column_numbers(tagger: FittedTagger, columns: Sequence[int]) -> list[int]:
    """Columns of the vectorizer for columns of the model."""
    selected = tagger.columns_
    return [column if selected is None else selected.number(column) for column in columns]
