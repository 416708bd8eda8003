"""How the documents are distributed over the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ramify.values import CSR, Int64

BANDS = ((1, 1), (2, 5), (6, 20), (21, None))
"""Ranges of the number of training documents of a label, (fewest, most)."""
CURVE_POINTS = 60


@dataclass(frozen=True)
class Band:
    """Labels with a number of training documents in a range.

    Parameters
    ----------
    fewest : int
    most : int or None
        None: no limit.
    labels, assignments : int
        Number of labels, and of pairs of a document and one of these labels.
    """

    fewest: int
    most: int | None
    labels: int
    assignments: int


@dataclass(frozen=True)
class Frequencies:
    """Label frequencies of the training part.

    Parameters
    ----------
    labels, assignments : int
        Labels with a training document, and pairs of document and label.
    bands : tuple of Band
        By number of documents.
    half : int
        Number of the most frequent labels that have at least half of the assignments together.
    half_documents : int
        Documents of the least frequent one of these.
    curve : tuple of (int, int)
        (rank, documents) of at most 60 labels, the most frequent first, at ranks that grow geometrically.
    frequent : tuple of (str, int)
        The most frequent labels with their documents.
    """

    labels: int
    assignments: int
    bands: tuple[Band, ...]
    half: int
    half_documents: int
    curve: tuple[tuple[int, int], ...]
    frequent: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, counts: Int64, names: Sequence[str], top: int) -> Frequencies:
        """The frequencies of labels with ``counts`` training documents, shape (L,)."""
        order = np.argsort(-counts, kind="stable")
        sizes = counts[order][: np.count_nonzero(counts)]
        total = int(sizes.sum())
        half = int(np.searchsorted(np.cumsum(sizes), total / 2)) + 1 if total else 0
        return cls(
            labels=len(sizes),
            assignments=total,
            bands=tuple(_band(sizes, fewest, most) for fewest, most in BANDS),
            half=half,
            half_documents=int(sizes[half - 1]) if total else 0,
            curve=_curve(sizes),
            frequent=tuple((names[label], int(counts[label])) for label in order[: min(top, len(sizes))].tolist()),
        )

    def share(self, band: Band) -> float:
        """Share of the labels that are in a band, 0..1."""
        return band.labels / self.labels if self.labels else 0.0


@dataclass(frozen=True)
class Unseen:
    """Labels of the test part without a training document.

    Parameters
    ----------
    labels, test_labels : int
        Unseen labels, and all labels of the test part.
    assignments, test_assignments : int
        Pairs of a test document and an unseen label, and all pairs of the test part.
    documents, test_documents : int
        Labelled test documents with unseen labels only, and all labelled test documents.
    """

    labels: int
    test_labels: int
    assignments: int
    test_assignments: int
    documents: int
    test_documents: int

    @classmethod
    def of(cls, counts: Int64, Y_test: CSR) -> Unseen:
        """Compare the test labels with the training documents per label, shape (L,)."""
        used = np.unique(Y_test.indices)
        new = counts[Y_test.indices] == 0
        sizes = np.diff(Y_test.indptr)
        seen = np.zeros(len(sizes) + 1, np.int64)
        np.add.at(seen, np.repeat(np.arange(len(sizes)), sizes), ~new)
        labelled = sizes > 0
        return cls(
            labels=int((counts[used] == 0).sum()),
            test_labels=len(used),
            assignments=int(new.sum()),
            test_assignments=len(new),
            documents=int((labelled & (seen[:-1] == 0)).sum()),
            test_documents=int(labelled.sum()),
        )


def _band(sizes: Int64, fewest: int, most: int | None) -> Band:
    inside = sizes[(sizes >= fewest) & ((sizes <= most) if most is not None else True)]
    return Band(fewest, most, len(inside), int(inside.sum()))


def _curve(sizes: Int64) -> tuple[tuple[int, int], ...]:
    if len(sizes) == 0:
        return ()
    ranks = np.unique(np.geomspace(1, len(sizes), CURVE_POINTS).round().astype(np.int64))
    return tuple((int(rank), int(sizes[rank - 1])) for rank in ranks)
