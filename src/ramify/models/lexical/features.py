"""Features of candidates, the labels whose names occur in a text.

counts, cands, hits = of each label: training documents with it; with its name; with both
subject frequency   = log((counts + 1) / documents)      document frequency = log((cands + 1) / documents)
hit rate            = (hits + 2 · mean rate) / (cands + 2): how often a document with the name has the label

The counts of a training document come from the other folds, so that its own labels are not in its features.
The features follow Maui (Medelyan: Human-competitive automatic topic indexing. PhD thesis, Waikato, 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.kernels.lexical import MATCH_FEATURES, Matches
from ramify.values import CSR, Float32, Int32, Int64, as_csr

PRIOR = 2.0
"""Weight of the mean rate in a hit rate, in documents."""

FEATURES = (
    *MATCH_FEATURES, "spread", "words", "candidates", "subject_frequency", "document_frequency", "hit_rate",
    "broader", "narrower", "related",
)  # fmt: skip
"""Columns: those of the matches; last minus first place; logarithms of the words and the candidates of the text; the
frequencies and the hit rate; broader, narrower and related labels that are candidates as well."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelCounts:
    """Counts of training documents.

    Parameters
    ----------
    counts, cands, hits : int64 array, shape (L,)
        Documents with the label, with its name, and with both.
    n_documents : int
        Number of documents.
    """

    counts: Int64
    cands: Int64
    hits: Int64
    n_documents: int

    @classmethod
    def of(cls, matched: CSR, Y: CSR) -> LabelCounts:
        """Count in a batch of documents; both matrices are 0/1 of shape (n, L)."""
        hits = sp.csr_matrix(matched.multiply(Y))
        counts, cands, found = (np.bincount(one.indices, minlength=Y.shape[1]) for one in (Y, matched, hits))
        return cls(counts=counts, cands=cands, hits=found, n_documents=Y.shape[0])

    def __add__(self, other: LabelCounts) -> LabelCounts:
        return self._combined(other, 1)

    def __sub__(self, other: LabelCounts) -> LabelCounts:
        return self._combined(other, -1)

    def _combined(self, other: LabelCounts, sign: int) -> LabelCounts:
        return LabelCounts(
            counts=self.counts + sign * other.counts,
            cands=self.cands + sign * other.cands,
            hits=self.hits + sign * other.hits,
            n_documents=self.n_documents + sign * other.n_documents,
        )

    def columns(self) -> Float32:
        """Subject frequency, document frequency and hit rate of each label, shape (L, 3)."""
        n = max(1, self.n_documents)
        mean = self.hits.sum() / max(1, self.cands.sum())
        rate = (self.hits + PRIOR * mean) / (self.cands + PRIOR)
        columns = [np.log((self.counts + 1) / n), np.log((self.cands + 1) / n), rate]
        return np.column_stack(columns).astype(np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Relations:
    """Relations of labels.

    Parameters
    ----------
    broader : int32 array, shape (m, 2)
        Pairs (label, broader label).
    related : int32 array, shape (m, 2)
        Pairs of related labels, in one direction.
    n_labels : int
        Number of labels L.
    """

    broader: Int32
    related: Int32
    n_labels: int

    @classmethod
    def of(cls, broader: Sequence[Any] | None, related: Sequence[Any] | None, names: Sequence[str]) -> Relations:
        """From pairs of label names; pairs with names of no label are left out."""
        if not broader and not related:
            none = np.zeros((0, 2), np.int32)
            return cls(broader=none, related=none, n_labels=len(names))
        ids = {name: label for label, name in enumerate(names)}
        found = [
            np.array([(ids[a], ids[b]) for a, b in pairs or () if a in ids and b in ids], np.int32).reshape(-1, 2)
            for pairs in (broader, related)
        ]
        return cls(broader=found[0], related=found[1], n_labels=len(names))

    def distinct(self) -> Relations:
        """Each pair once, without those of a label and itself; of related labels in the direction of their numbers."""
        broader, related = (pairs[pairs[:, 0] != pairs[:, 1]] for pairs in (self.broader, self.related))
        return Relations(
            broader=np.unique(broader, axis=0), related=np.unique(np.sort(related), axis=0), n_labels=self.n_labels
        )

    def columns(self, matched: CSR) -> Float32:
        """Broader, narrower and related candidates of each candidate, shape (candidates, 3)."""
        up = self._graph(self.broader)
        near = self._graph(self.related)
        sums = [_at(matched, matched @ graph) for graph in (up.T, up, near + near.T)]
        return np.column_stack(sums).astype(np.float32)

    def _graph(self, pairs: Int32) -> Any:
        ones = np.ones(len(pairs), np.float32)
        return sp.csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(self.n_labels, self.n_labels))

    def __len__(self) -> int:
        return len(self.broader) + len(self.related)


def _at(pattern: CSR, sums: Any) -> Any:
    """The entries of ``sums`` at the stored entries of ``pattern``; an absent one is 0."""
    found = as_csr(sums)
    found.sort_indices()
    width = np.int64(pattern.shape[1])
    wanted, known = (_rows(one) * width + one.indices for one in (pattern, found))
    place = np.minimum(np.searchsorted(known, wanted), max(0, len(known) - 1))
    if len(known) == 0:
        return np.zeros(len(wanted), np.float32)
    return np.where(known[place] == wanted, found.data[place], 0)


def _rows(matrix: CSR) -> Int64:
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))


def matched_labels(matches: Matches, n_labels: int) -> CSR:
    """0/1 matrix of the candidates, shape (n, L)."""
    ones = np.ones(len(matches.labels), np.float32)
    return sp.csr_matrix((ones, matches.labels, matches.indptr), shape=(len(matches.n_words), n_labels))


def candidate_features(matches: Matches, frequencies: Float32, relations: Relations) -> Float32:
    """Features of the candidates of some texts, shape (candidates, ``FEATURES``).

    Parameters
    ----------
    matches : Matches
        The candidates.
    frequencies : float32 array, shape (L, 3)
        ``LabelCounts.columns``.
    relations : Relations
        Relations of the labels.
    """
    sizes = np.diff(matches.indptr)
    first, last = (matches.features[:, MATCH_FEATURES.index(name)] for name in ("first", "last"))
    out = np.zeros((len(matches.labels), len(FEATURES)), np.float32)
    n = len(MATCH_FEATURES)
    out[:, :n] = matches.features
    out[:, n] = last - first
    out[:, n + 1] = np.repeat(np.log1p(matches.n_words), sizes)
    out[:, n + 2] = np.repeat(np.log1p(sizes), sizes)
    out[:, n + 3 : n + 6] = frequencies[matches.labels]
    if len(relations):
        out[:, n + 6 :] = relations.columns(matched_labels(matches, relations.n_labels))
    return out
